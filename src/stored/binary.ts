/**
 * Which bytes are stored of the views and buffers in a value. A view is stored with its whole buffer, as structured clone does it, so
 * that views which share one still do. But a `Buffer` is mostly a small piece of memory that it shares with others that have
 * nothing to do with it: of that only what the value shows is stored, and buffers that overlap keep doing so.
 */
import type { Slot } from './format.js';

/** A view, and what is written of it. */
export interface View {
  readonly node: Slot[];
  readonly view: ArrayBufferView;
}

/** Bytes of a buffer, from `start` up to `end`, that are stored as one. */
export interface Piece {
  readonly start: number;
  end: number;
  /** How many zeros go before them: what is wider than a byte must lie at a multiple of its width. */
  padding: number;
  readonly views: View[];
}

const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!
  .get!;

/** `'Buffer'`, `'DataView'`, or the name of the typed array, whatever its class says. */
function kindOf(view: ArrayBufferView): string {
  return Buffer.isBuffer(view) ? 'Buffer' : (typedArrayName.call(view) ?? 'DataView');
}

/** What is written of a view, but for its buffer. */
export function viewNode(view: ArrayBufferView): Slot[] {
  const length = 'length' in view ? (view as Uint8Array).length : view.byteLength;
  return [kindOf(view), null, view.byteOffset, length];
}

/** A copy of the bytes, as they are now. */
export function bytesOf(
  buffer: ArrayBufferLike,
  { start, end, padding }: Omit<Piece, 'views'>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(padding + end - start);
  bytes.set(new Uint8Array(buffer, start, end - start), padding);
  return bytes;
}

/** The views on each buffer. */
export function byBuffer(views: readonly View[]): Map<ArrayBufferLike, View[]> {
  const groups = new Map<ArrayBufferLike, View[]>();
  for (const one of views) {
    const group = groups.get(one.view.buffer);
    if (group) group.push(one);
    else groups.set(one.view.buffer, [one]);
  }
  return groups;
}

/** What is stored of a buffer of which a value holds these views, or also the buffer itself. */
export function piecesOf(buffer: ArrayBufferLike, views: readonly View[], itself: boolean): Piece[] {
  // What may be the memory that Node.js cuts `Buffer`s from is told by its size, which `Buffer.poolSize` is only about.
  const pool = Buffer.allocUnsafe(1).buffer;
  const isOwn = buffer.byteLength !== pool.byteLength && views.some(({ node }) => node[0] !== 'Buffer');
  if (itself || isOwn) return [{ start: 0, end: buffer.byteLength, padding: 0, views: [...views] }];
  const pieces: Piece[] = [];
  for (const one of [...views].sort((a, b) => a.view.byteOffset - b.view.byteOffset)) {
    const { byteOffset: start, byteLength } = one.view;
    const last = pieces.at(-1);
    if (last && start < last.end) {
      last.end = Math.max(last.end, start + byteLength);
      last.views.push(one);
    } else pieces.push({ start, end: start + byteLength, padding: 0, views: [one] });
  }
  for (const piece of pieces) if (piece.views.some(({ node }) => node[0] !== 'Buffer')) piece.padding = piece.start % 8;
  return pieces;
}
