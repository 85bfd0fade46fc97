import type { Named } from './names.js';

/** At least so many places a name: with fewer, look-ups go on for long. */
const ROOM = 2;
/** Another one in each process, so that nobody can make up many names that meet; odd, and no power of a small number. */
const FACTOR = (Math.floor(Math.random() * 2 ** 29) << 3) | 5;

/**
 * The names of a flow, each once. For a million of them a `Set` takes three times as long, most of the time that compiling takes. As long as
 * names only get longer or greater, as numbered ones do, none can be there yet, and no table is made: that is ten times as fast.
 */
export class NameSet {
  readonly #all: readonly Named[];
  #ascending = true;
  /** The hash of each name. */
  #hashes = new Int32Array(32);
  /** At the place of its hash, or the first free one behind that: the number of a name, counted from 1. */
  #table = new Int32Array(32 * ROOM);

  /** `all`: where what has a name is put, one after the other, as soon as that is known not to be there. */
  constructor(all: readonly Named[]) {
    this.#all = all;
  }

  /** Returns whether the name was not there before. It is that of the next one in the list. */
  add(name: string): boolean {
    const count = this.#all.length;
    if (this.#ascending) {
      if (count === 0 || isAfter(name, this.#all[count - 1].name)) return true;
      this.#ascending = false;
      for (let number = 0; number < count; number++) this.#put(this.#all[number].name, number);
    }
    return this.#put(name, count);
  }

  #put(name: string, number: number): boolean {
    if (number === this.#hashes.length) this.#grow();
    const hash = hashOf(name);
    const at = this.#find(name, hash);
    if (this.#table[at] !== 0) return false;
    this.#table[at] = number + 1;
    this.#hashes[number] = hash;
    return true;
  }

  /** The place of a name, or where it is to stand. */
  #find(name: string, hash: number): number {
    const last = this.#table.length - 1;
    let at = hash & last;
    for (let number = this.#table[at]; number !== 0; number = this.#table[at]) {
      if (this.#hashes[number - 1] === hash && this.#all[number - 1].name === name) break;
      at = (at + 1) & last;
    }
    return at;
  }

  #grow(): void {
    const hashes = this.#hashes;
    this.#hashes = new Int32Array(hashes.length * 2);
    this.#hashes.set(hashes);
    this.#table = new Int32Array(this.#hashes.length * ROOM);
    const last = this.#table.length - 1;
    for (let number = 0; number < hashes.length; number++) {
      let at = hashes[number] & last;
      while (this.#table[at] !== 0) at = (at + 1) & last;
      this.#table[at] = number + 1;
    }
  }
}

function isAfter(name: string, last: string): boolean {
  return name.length === last.length ? name > last : name.length > last.length;
}

function hashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, FACTOR) + name.charCodeAt(i)) | 0;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
