/**
 * What kind of error an error is. Of a class of the user's only the name crosses from one thread to another, hence kinds can be
 * told by name as well, and a class stands also for what has lost it on the way.
 */

/** A class of errors; or the name of one, the `name` of an error, or its `code`. */
export type ErrorKind = string | (abstract new (...args: any[]) => object);

/** The look-alikes that extend a class, by name. */
const lookAlikes = new WeakMap<Function, Map<string, Function>>();
/** To tell an error that has lost its class from one that has another of the same name. */
const allLookAlikes = new WeakSet<Function>();
/** Class names come from outside, and a program may make them up as it goes. */
const MAX_LOOK_ALIKES = 200;
/** How far down a chain of prototypes one looks. */
const MAX_CLASSES = 100;

/** An empty class that extends `parent` and only has the name, for `constructor.name`, `util.inspect` and `isOfKind`. */
export function lookAlike(parent: Function, name: string): Function {
  let siblings = lookAlikes.get(parent);
  if (!siblings || siblings.size >= MAX_LOOK_ALIKES) {
    siblings = new Map();
    lookAlikes.set(parent, siblings);
  }
  let made = siblings.get(name);
  if (!made) {
    made = class extends (parent as typeof Error) {};
    Object.defineProperty(made, 'name', { value: name, configurable: true });
    siblings.set(name, made);
    allLookAlikes.add(made);
  }
  return made;
}

/** Whether an error is of a kind: of the class, or of one that extends it, or of that name or code. Never throws. */
export function isOfKind(error: unknown, kind: ErrorKind): boolean {
  try {
    if (typeof kind === 'string') {
      const { name, code } = error as { name?: unknown; code?: unknown };
      return name === kind || code === kind || classesOf(error).some((one) => one.name === kind);
    }
    return error instanceof kind || classesOf(error).some((one) => allLookAlikes.has(one) && one.name === kind.name);
  } catch {
    return false; // a proxy that refuses, or a getter that throws
  }
}

/** The names of an error's class and of those that it extends, down to `Error`. Classes without a name are left out. */
export function classNamesOf(error: unknown): string[] {
  return classesOf(error).flatMap(({ name }) => (typeof name === 'string' && name !== '' ? [name] : []));
}

function classesOf(error: unknown): Function[] {
  const classes: Function[] = [];
  try {
    let prototype: unknown = error;
    while (classes.length < MAX_CLASSES) {
      prototype = Object.getPrototypeOf(prototype);
      if (prototype === null) break;
      const owner = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
      if (typeof owner === 'function') classes.push(owner);
      if (owner?.name === 'Error') break;
    }
  } catch {
    // A proxy that refuses: what is known so far.
  }
  return classes;
}
