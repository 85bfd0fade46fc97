/** A binary heap of integers, smallest first. */
export class IntHeap {
  #items = new Int32Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: number): void {
    if (this.#size === this.#items.length) {
      const larger = new Int32Array(this.#items.length * 2);
      larger.set(this.#items);
      this.#items = larger;
    }
    const items = this.#items;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent] <= value) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = value;
  }

  /** The smallest, taken out; -1 when the heap is empty. */
  pop(): number {
    if (this.#size === 0) return -1;
    const items = this.#items;
    const top = items[0];
    const value = items[--this.#size];
    const size = this.#size;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && items[child + 1] < items[child]) child++;
      if (items[child] >= value) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = value;
    return top;
  }

  /** Takes those out for which `keeps` is false. */
  keep(keeps: (value: number) => boolean): void {
    const kept = this.#items.subarray(0, this.#size).filter(keeps);
    this.#size = 0;
    for (const value of kept) this.push(value);
  }
}
