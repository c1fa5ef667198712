/**
 * Texts in order. An array with binary search: a page of a list is a slice. What is added is put in its place when
 * somebody looks next: a few keys one by one, many in one sweep, so that a flood of creations does not move the array
 * once for each.
 *
 * The order is that of UTF-16 units, which for the names that the API admits (ASCII) is the order of bytes.
 */
export class SortedKeys {
  #keys: string[] = [];
  #added: string[] = [];

  get size(): number {
    return this.#keys.length + this.#added.length;
  }

  fill(keys: Iterable<string>): void {
    this.#keys = [...keys].toSorted(byUnits);
    this.#added = [];
  }

  /** Adds `key`, which must not be there. */
  add(key: string): void {
    this.#added.push(key);
  }

  remove(key: string): void {
    const keys = this.#inOrder();
    const at = lowerBound(keys, key);
    if (keys[at] === key) keys.splice(at, 1);
  }

  at(index: number): string | undefined {
    return this.#inOrder()[index];
  }

  /** The index of the first key that is not below `key`. */
  lowerBound(key: string): number {
    return lowerBound(this.#inOrder(), key);
  }

  #inOrder(): string[] {
    if (this.#added.length === 0) return this.#keys;
    const added = this.#added;
    this.#added = [];
    if (added.length <= fewKeys) for (const key of added) this.#keys.splice(lowerBound(this.#keys, key), 0, key);
    else this.#keys = merged(this.#keys, added.toSorted(byUnits));
    return this.#keys;
  }
}

/** Up to this many keys are moved into place one by one. Chosen, not measured. */
const fewKeys = 8;

function lowerBound(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = keys[middle];
    if (found !== undefined && found < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function merged(keys: readonly string[], added: readonly string[]): string[] {
  const all: string[] = [];
  let from = 0;
  for (const key of added) {
    const to = lowerBound(keys, key);
    for (; from < to; from++) all.push(keys[from] ?? '');
    all.push(key);
  }
  for (; from < keys.length; from++) all.push(keys[from] ?? '');
  return all;
}

/** Compares by UTF-16 units, as `<` does. */
export function byUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
