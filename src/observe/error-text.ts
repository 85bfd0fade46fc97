/** Shows an error in a log: name, message and code on one line, and its stack and causes below it. */
import { types } from 'node:util';
import { escapeControls } from './escape.js';
import { valueText } from './value-text.js';

const NOTHING: ReadonlySet<string> = new Set();
/** The characters of a message, the frames of a stack, and how many errors behind an error are shown. */
const LONGEST = 2000;
const FRAMES = 30;
const CAUSES = 10;

/**
 * A message cannot pass for other lines of a log: only the frames of stacks, and causes, are on lines of their own, and these are
 * indented. Properties of errors are left out but for `code`, as they may hold anything.
 */
export function errorText(error: unknown): string {
  const lines: string[] = [];
  try {
    add(lines, '', error, { left: CAUSES });
  } catch {
    lines.push('an error that cannot be shown');
  }
  return lines.join('\n');
}

function add(lines: string[], label: string, error: unknown, causes: { left: number }): void {
  if (!types.isNativeError(error) && !(error instanceof Error)) {
    lines.push(label + valueText(error, NOTHING, LONGEST));
    return;
  }
  const { code } = error as { code?: unknown };
  const shown = typeof code === 'string' || typeof code === 'number' ? ` [${code}]` : '';
  const message = String(error.message);
  const cut = message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message;
  lines.push(label + escapeControls(`${error.name}${cut === '' ? '' : `: ${cut}`}${shown}`));
  lines.push(...framesOf(error));
  const { errors } = error as { errors?: unknown };
  const behind: [string, unknown][] = Array.isArray(errors) ? errors.map((one, at) => [`  errors[${at}]: `, one]) : [];
  if ('cause' in error) behind.push(['  cause: ', error.cause]);
  for (const [what, other] of behind) if (causes.left-- > 0) add(lines, what, other, causes);
}

function framesOf({ stack, message }: Error): string[] {
  if (typeof stack !== 'string') return [];
  // A message of several lines may look like a stack.
  const start = stack.indexOf(message);
  const trace = start < 0 ? stack : stack.slice(start + message.length);
  const frames = trace.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, FRAMES).map((frame) => `    ${escapeControls(frame.trim())}`);
}
