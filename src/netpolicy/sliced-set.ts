/**
 * A set cut into slices of at most `maxSliceMembers` members, so that a change of one member rewrites one slice.
 *
 * A member's slice is decided by the bits of its hash: there is one slice until it overflows, then it splits by the
 * first bit into `id-0` and `id-1`, an overflowing `id-1` into `id-10` and `id-11`, and so on; two halves that fit
 * into one slice become one again. So the slices follow from the members alone, whatever order they came in: a
 * controller that starts anew computes the very objects that are there already.
 */
import { maxSliceMembers } from './allow-list.ts';

interface Leaf<Member> {
  readonly members: Map<string, { readonly member: Member; count: number }>;
}

/** Beyond this many bits the hash is used up; a slice that deep is not split further. */
const hashBits = 32;

export class SlicedSet<Member> {
  readonly #id: string;
  readonly #leaves = new Map<string, Leaf<Member>>([['', { members: new Map() }]]);
  readonly #changed = new Set<string>();

  constructor(id: string) {
    this.#id = id;
  }

  /** Adds one use of `member`; the same key added twice must be removed twice. */
  add(key: string, member: Member): void {
    const bits = bitsOf(key);
    const path = this.#pathOf(bits);
    const leaf = this.#leafAt(path);
    const entry = leaf.members.get(key);
    if (entry !== undefined) {
      entry.count += 1;
      return;
    }
    leaf.members.set(key, { member, count: 1 });
    this.#changed.add(path);
    this.#split(path);
  }

  /** Takes one use of the member back. */
  remove(key: string): void {
    const path = this.#pathOf(bitsOf(key));
    const { members } = this.#leafAt(path);
    const entry = members.get(key);
    if (entry === undefined) return;
    entry.count -= 1;
    if (entry.count > 0) return;
    members.delete(key);
    this.#changed.add(path);
    this.#join(path);
  }

  /** The slices that changed since this was last asked: members, or undefined where a slice is no more. */
  takeChanges(): ReadonlyMap<string, readonly Member[] | undefined> {
    const changes = new Map([...this.#changed].map((path) => [this.#nameOf(path), this.#membersAt(path)]));
    this.#changed.clear();
    return changes;
  }

  /** The names of all slices that hold something. */
  sliceNames(): readonly string[] {
    return [...this.#leaves].filter(([, leaf]) => leaf.members.size > 0).map(([path]) => this.#nameOf(path));
  }

  #membersAt(path: string): readonly Member[] | undefined {
    const leaf = this.#leaves.get(path);
    if (leaf === undefined || leaf.members.size === 0) return undefined;
    return [...leaf.members].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, { member }]) => member);
  }

  #split(path: string): void {
    const leaf = this.#leafAt(path);
    if (leaf.members.size <= maxSliceMembers || path.length >= hashBits) return;
    this.#leaves.delete(path);
    const halves = [`${path}0`, `${path}1`];
    for (const half of halves) this.#leaves.set(half, { members: new Map() });
    for (const [key, entry] of leaf.members) {
      this.#leafAt(bitsOf(key).slice(0, path.length + 1)).members.set(key, entry);
    }
    for (const half of halves) {
      this.#changed.add(half);
      this.#split(half);
    }
  }

  #join(path: string): void {
    if (path === '') return;
    const parent = path.slice(0, -1);
    const halves = [this.#leaves.get(`${parent}0`), this.#leaves.get(`${parent}1`)];
    const [left, right] = halves;
    if (left === undefined || right === undefined || left.members.size + right.members.size > maxSliceMembers) return;
    this.#leaves.set(parent, { members: new Map([...left.members, ...right.members]) });
    for (const half of [`${parent}0`, `${parent}1`]) {
      this.#leaves.delete(half);
      this.#changed.add(half);
    }
    this.#changed.add(parent);
    this.#join(parent);
  }

  #pathOf(bits: string): string {
    let length = 0;
    while (!this.#leaves.has(bits.slice(0, length)) && length < hashBits) length += 1;
    return bits.slice(0, length);
  }

  #leafAt(path: string): Leaf<Member> {
    const leaf = this.#leaves.get(path);
    if (leaf === undefined) throw new Error(`peer set ${this.#id} has no slice at '${path}'`);
    return leaf;
  }

  #nameOf(path: string): string {
    return path === '' ? this.#id : `${this.#id}-${path}`;
  }
}

// FNV-1a, then murmur3's finalizer: neighbouring addresses have to land in different halves.
function bitsOf(key: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0).toString(2).padStart(hashBits, '0');
}
