/** By what others can tell that what a task does was done already. */

/**
 * The key of what a task does in one round.
 *
 * @param flow that of the flow: its id, and for the flow of a region the region's own
 */
export function taskKey(flow: string, name: string, round: number, reverting = false): string {
  return `${flow}/${keyPart(name)}/${round}${reverting ? ':revert' : ''}`;
}

/** A name in a key: what separates names must not be part of one. */
export function keyPart(name: string): string {
  return name.replace(/[%/]/g, encodeURIComponent);
}
