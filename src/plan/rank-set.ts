/**
 * A set of ranks from which the lowest is taken: a bit for each rank, a bit for each word of those that is not empty, and so on up to
 * a single word. Adding and taking cost some 10 ns, however many there are.
 */
export class RankSet {
  /** The bits of the ranks, then those of the words of the level before. */
  readonly #levels: Int32Array[] = [];
  #size = 0;

  /** `limit`: all ranks are below it. */
  constructor(limit: number) {
    let words = limit;
    do {
      words = (words + 31) >>> 5;
      this.#levels.push(new Int32Array(Math.max(1, words)));
    } while (words > 1);
  }

  get size(): number {
    return this.#size;
  }

  add(rank: number): void {
    const levels = this.#levels;
    let at = rank;
    for (let i = 0; i < levels.length; i++) {
      const level = levels[i];
      const word = at >>> 5;
      const before = level[word];
      level[word] = before | (1 << at);
      if (i === 0) {
        if (level[word] === before) return; // it is in the set
        this.#size++;
      }
      if (before !== 0) return; // what is above knows
      at = word;
    }
  }

  /** The lowest, taken out; -1 when the set is empty. */
  take(): number {
    const at = this.lowest;
    if (at >= 0) this.#remove(at);
    return at;
  }

  /** The lowest; -1 when the set is empty. */
  get lowest(): number {
    if (this.#size === 0) return -1;
    const levels = this.#levels;
    let at = 0;
    for (let i = levels.length - 1; i >= 0; i--) at = (at << 5) | lowestBit(levels[i][at]);
    return at;
  }

  /** Takes the lowest out, and those that follow it without a gap, so many at most. Returns how many that were. */
  takeRow(most: number): number {
    const first = this.lowest;
    if (first < 0) return 0;
    const [bits] = this.#levels;
    const end = first + most;
    let at = first;
    while (at < end) {
      const word = at >>> 5;
      if ((at & 31) === 0 && at + 32 <= end && bits[word] === -1) {
        bits[word] = 0;
        this.#size -= 32;
        this.#emptied(word);
        at += 32;
      } else if ((bits[word] & (1 << at)) !== 0) {
        this.#remove(at++);
      } else {
        break;
      }
    }
    return at - first;
  }

  /** Adds all ranks below `end`, to a set that is empty. */
  fill(end: number): void {
    this.#size = end;
    let bits = end;
    for (const level of this.#levels) {
      const whole = bits >>> 5;
      level.fill(-1, 0, whole);
      if ((bits & 31) !== 0) level[whole] = (1 << bits) - 1;
      bits = (bits + 31) >>> 5;
    }
  }

  /** Takes those out for which `keeps` is false. */
  keep(keeps: (rank: number) => boolean): void {
    const [bits] = this.#levels;
    for (let word = 0; word < bits.length; word++) {
      for (let left = bits[word]; left !== 0; left &= left - 1) {
        const rank = (word << 5) | lowestBit(left);
        if (!keeps(rank)) this.#remove(rank);
      }
    }
  }

  #remove(rank: number): void {
    this.#size--;
    const [bits] = this.#levels;
    const word = rank >>> 5;
    bits[word] &= ~(1 << rank);
    if (bits[word] === 0) this.#emptied(word);
  }

  /** A word of bits is empty now: what is above is told. */
  #emptied(word: number): void {
    const levels = this.#levels;
    let at = word;
    for (let i = 1; i < levels.length; i++) {
      const above = at >>> 5;
      levels[i][above] &= ~(1 << at);
      if (levels[i][above] !== 0) return;
      at = above;
    }
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
