/**
 * The cluster as the scheduler sees it: a row for each node, a column of numbers for each resource, so that "does it fit"
 * is a subtraction at an index. One cycle reads the table without awaiting anything, so nothing changes under it and no
 * copy is needed.
 *
 * Pods and nodes arrive by two watches in any order: a pod may name a node that is not there (yet). Such a row holds
 * pods and no node; it is not offered to pods until its node arrives.
 */
import type { Node } from '../../api/types/core.ts';
import { amountsOf } from './pod-facts.ts';
import type { Amounts, PodFacts } from './pod-facts.ts';

/** A node that pods may be placed on. */
export interface NodeEntry {
  readonly row: number;
  readonly name: string;
  readonly node: Node;
  /** All pods that count on this node: bound ones, and those whose binding is under way. */
  readonly pods: ReadonlySet<PodFacts>;
  /** Those of them that take ports of the node. */
  readonly portHolders: ReadonlySet<PodFacts>;
  /** Size in bytes of the images the node holds, by each of their names. */
  readonly images: ReadonlyMap<string, number>;
}

interface Row {
  readonly row: number;
  readonly name: string;
  node: Node | undefined;
  readonly pods: Set<PodFacts>;
  readonly portHolders: Set<PodFacts>;
  images: ReadonlyMap<string, number>;
}

function isPresent(row: Row): row is Row & { node: Node } {
  return row.node !== undefined;
}

/** A pod and the node it counts on. */
export interface Placed {
  readonly facts: PodFacts;
  readonly nodeName: string;
}

export class NodeTable {
  /** What each node offers. */
  readonly allocatable = new Columns();
  /** What the pods on it reserve. */
  readonly requested = new Columns();
  /** The same as ranking sees it: see `PodFacts.ranked`. */
  readonly ranked = new Columns();
  readonly #rows = new Map<string, Row>();
  readonly #free: number[] = [];
  readonly #placed = new Map<string, Placed>();
  readonly #byNamespace = new Map<string, Map<string, Placed>>();
  readonly #withAffinity = new Map<string, Placed>();
  #size = 0;
  #entries: readonly NodeEntry[] | undefined;

  /** Every node, oldest row first. */
  nodes(): readonly NodeEntry[] {
    this.#entries ??= [...this.#rows.values()].filter(isPresent);
    return this.#entries;
  }

  get(name: string): NodeEntry | undefined {
    const row = this.#rows.get(name);
    return row !== undefined && isPresent(row) ? row : undefined;
  }

  /** Where the pod with this uid counts, if it does. */
  placed(uid: string): Placed | undefined {
    return this.#placed.get(uid);
  }

  /** The pods of a namespace that count somewhere. */
  podsIn(namespace: string): Iterable<Placed> {
    return this.#byNamespace.get(namespace)?.values() ?? [];
  }

  /** All pods that count somewhere. */
  allPods(): Iterable<Placed> {
    return this.#placed.values();
  }

  /** Those of them that have something to say about the pods near them. */
  podsWithAffinity(): Iterable<Placed> {
    return this.#withAffinity.values();
  }

  /** A node that is new or has changed. */
  setNode(node: Node): void {
    const row = this.#rowOf(node.metadata.name);
    row.node = node;
    row.images = imagesOf(node);
    this.allocatable.clear(row.row);
    this.allocatable.add(row.row, amountsOf(node.status?.allocatable), 1);
    this.#entries = undefined;
  }

  removeNode(name: string): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    row.node = undefined;
    this.#entries = undefined;
    this.#release(row);
  }

  /** Lets `facts` count on a node. A pod that counts already is moved or brought up to date. */
  place(facts: PodFacts, nodeName: string): void {
    this.remove(facts.uid);
    const row = this.#rowOf(nodeName);
    const placed = { facts, nodeName };
    this.#placed.set(facts.uid, placed);
    let inNamespace = this.#byNamespace.get(facts.namespace);
    if (inNamespace === undefined) this.#byNamespace.set(facts.namespace, (inNamespace = new Map()));
    inNamespace.set(facts.uid, placed);
    const { podAffinity, podAntiAffinity } = facts.pod.spec.affinity ?? {};
    if (podAffinity !== undefined || podAntiAffinity !== undefined) this.#withAffinity.set(facts.uid, placed);
    row.pods.add(facts);
    if (facts.ports.length > 0) row.portHolders.add(facts);
    this.#count(row.row, facts, 1);
  }

  /** Ends the counting of a pod; a pod that does not count is no error. */
  remove(uid: string): void {
    const placed = this.#placed.get(uid);
    if (placed === undefined) return;
    const { facts, nodeName } = placed;
    this.#placed.delete(uid);
    this.#withAffinity.delete(uid);
    const inNamespace = this.#byNamespace.get(facts.namespace);
    inNamespace?.delete(uid);
    if (inNamespace?.size === 0) this.#byNamespace.delete(facts.namespace);
    const row = this.#rows.get(nodeName);
    if (row === undefined) return;
    row.pods.delete(facts);
    row.portHolders.delete(facts);
    this.#count(row.row, facts, -1);
    this.#release(row);
  }

  #count(row: number, facts: PodFacts, sign: 1 | -1): void {
    this.requested.add(row, facts.requests, sign);
    this.ranked.add(row, facts.ranked, sign);
  }

  #rowOf(name: string): Row {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const row: Row = {
      row: this.#free.pop() ?? this.#size++,
      name,
      node: undefined,
      pods: new Set(),
      portHolders: new Set(),
      images: new Map(),
    };
    this.#rows.set(name, row);
    return row;
  }

  #release(row: Row): void {
    if (row.node !== undefined || row.pods.size > 0) return;
    this.#rows.delete(row.name);
    for (const columns of [this.allocatable, this.requested, this.ranked]) columns.clear(row.row);
    this.#free.push(row.row);
  }
}

/** The value of a node's label; undefined where it has none. */
export function labelOf({ node }: NodeEntry, key: string): string | undefined {
  const labels = node.metadata.labels ?? {};
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** One array of numbers per resource, all of the same length, which grows with the rows. */
class Columns {
  readonly #columns = new Map<string, Float64Array>();
  #length = 64;

  /** The column of `resource`, indexed by row. Valid until the table changes. */
  column(resource: string): Float64Array {
    let column = this.#columns.get(resource);
    if (column === undefined) this.#columns.set(resource, (column = new Float64Array(this.#length)));
    return column;
  }

  add(row: number, amounts: Amounts, sign: 1 | -1): void {
    if (row >= this.#length) this.#grow(row);
    for (const [resource, amount] of amounts) {
      const column = this.column(resource);
      column[row] = (column[row] ?? 0) + sign * amount;
    }
  }

  clear(row: number): void {
    for (const column of this.#columns.values()) if (row < column.length) column[row] = 0;
  }

  #grow(row: number): void {
    this.#length = 2 ** Math.ceil(Math.log2(row + 1));
    for (const [resource, column] of this.#columns) {
      const longer = new Float64Array(this.#length);
      longer.set(column);
      this.#columns.set(resource, longer);
    }
  }
}

function imagesOf(node: Node): ReadonlyMap<string, number> {
  const images = new Map<string, number>();
  for (const { names, sizeBytes } of node.status?.images ?? []) {
    for (const name of names ?? []) images.set(name, sizeBytes ?? 0);
  }
  return images;
}
