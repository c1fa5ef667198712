/**
 * Texts in order. An array with binary search: inserting moves memory, which for the sizes at hand (10⁵ keys) costs
 * less than a tree's pointers, and a page of a list is a slice.
 *
 * The order is that of UTF-16 units, which for the names that the API admits (ASCII) is the order of bytes.
 */
export class SortedKeys {
  #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  fill(keys: Iterable<string>): void {
    this.#keys = [...keys].toSorted(byUnits);
  }

  add(key: string): void {
    this.#keys.splice(this.lowerBound(key), 0, key);
  }

  remove(key: string): void {
    const at = this.lowerBound(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  at(index: number): string | undefined {
    return this.#keys[index];
  }

  /** The index of the first key that is not below `key`. */
  lowerBound(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#keys[middle];
      if (found !== undefined && found < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Compares by UTF-16 units, as `<` does. */
export function byUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
