/**
 * Sets of field paths, as metadata.managedFields has them. The wire form (fieldsV1) *is* the set, so nothing is decoded or
 * encoded when an object is written, and what does not change is shared from one version of an object to the next:
 *
 *   { "f:spec": { "f:replicas": {}, "f:template": { ".": {}, "f:metadata": {} } } }
 *
 * holds .spec.replicas, .spec.template and .spec.template.metadata, but not .spec: a path is a member when its node is
 * empty or has the key ".". The root `{}` is the empty set. Keys are path elements (path-element.ts), each in its one
 * spelling. Source: Kubernetes API, FieldsV1.
 */
import { isFields } from '../../../std/value.ts';
import { canonicalElement } from './path-element.ts';

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** The empty set; as a node of a set, a member with nothing below it. */
export const leaf: FieldSet = Object.freeze({});

const self = '.';

/** Whether `set` holds nothing. */
export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether the path that leads to `node` belongs to its set. */
export function isMember(node: FieldSet): boolean {
  return Object.hasOwn(node, self) || isEmptySet(node);
}

/** The node of a path by what is below it, or undefined where neither it nor anything below is a member. */
export function nodeOf(member: boolean, below: FieldSet | undefined): FieldSet | undefined {
  if (below === undefined || isEmptySet(below)) return member ? leaf : undefined;
  return member ? { [self]: leaf, ...below } : below;
}

/** The node below `node` at `element`. */
export function below(node: FieldSet | undefined, element: string): FieldSet | undefined {
  return node !== undefined && Object.hasOwn(node, element) ? node[element] : undefined;
}

/** The set of the one path `elements`. */
export function setOf(...elements: readonly string[]): FieldSet {
  return elements.toReversed().reduce<FieldSet>((node, element) => ({ [element]: node }), leaf);
}

/** Whether `set` holds the path `elements`. */
export function holds(set: FieldSet, elements: readonly string[]): boolean {
  let node: FieldSet | undefined = set;
  for (const element of elements) node = below(node, element);
  return node !== undefined && elements.length > 0 && isMember(node);
}

/** What is in `a` or in `b`. The same value as `a` where `b` adds nothing. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  let changed: Record<string, FieldSet> | undefined;
  for (const element in b) {
    const theirs = b[element];
    if (theirs === undefined) continue;
    const ours = below(a, element);
    const both = ours === undefined ? theirs : unionOfNodes(ours, theirs);
    if (both !== ours) (changed ??= { ...a })[element] = both;
  }
  return changed ?? a;
}

function unionOfNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  if (isEmptySet(a)) return isEmptySet(b) || Object.hasOwn(b, self) ? b : { [self]: leaf, ...b };
  if (isEmptySet(b)) return Object.hasOwn(a, self) ? a : { [self]: leaf, ...a };
  return union(a, b);
}

/** What is in `a` and not in `b`. The same value as `a` where they have nothing in common. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, false);
}

/** What is in `a` and neither in `b` nor below a member of it. */
export function outside(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, true);
}

function subtract(a: FieldSet, b: FieldSet, deep: boolean): FieldSet {
  let changed: Record<string, FieldSet> | undefined;
  for (const element in b) {
    const theirs = b[element];
    const ours = below(a, element);
    if (ours === undefined || theirs === undefined || element === self) continue;
    const left = subtractNode(ours, theirs, deep);
    if (left === ours) continue;
    changed ??= { ...a };
    if (left === undefined) delete changed[element];
    else changed[element] = left;
  }
  return changed ?? a;
}

function subtractNode(a: FieldSet, b: FieldSet, deep: boolean): FieldSet | undefined {
  if (!isMember(b)) return isEmptySet(a) ? a : orNothing(subtract(a, b, deep));
  if (deep || isEmptySet(a)) return undefined;
  const rest = subtract(a, b, deep);
  return orNothing(Object.hasOwn(rest, self) ? without(rest) : rest);
}

function without(node: FieldSet): FieldSet {
  const { [self]: _member, ...rest } = node;
  return rest;
}

/** A node of which nothing is left is no node: the empty one would be a member, which is how a bare member is spelled. */
function orNothing(node: FieldSet): FieldSet | undefined {
  const elements = Object.keys(node);
  if (elements.length === 0) return undefined;
  return elements.length === 1 && elements[0] === self ? leaf : node;
}

/** What of `a` is a member of `b` or below one. */
export function inside(a: FieldSet, b: FieldSet): FieldSet {
  const kept: Record<string, FieldSet> = {};
  for (const element in b) {
    const theirs = b[element];
    const ours = below(a, element);
    if (ours === undefined || theirs === undefined || element === self) continue;
    const node = isMember(theirs) ? ours : orNothing(inside(ours, theirs));
    if (node !== undefined) kept[element] = node;
  }
  return kept;
}

/** What is in both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const both: Record<string, FieldSet> = {};
  for (const element in b) {
    const theirs = b[element];
    const ours = below(a, element);
    if (ours === undefined || theirs === undefined || element === self) continue;
    const node = nodeOf(isMember(ours) && isMember(theirs), intersection(ours, theirs));
    if (node !== undefined) both[element] = node;
  }
  return both;
}

/** Every path in `set`, as its elements; a path before those below it. */
export function* pathsOf(set: FieldSet, before: readonly string[] = []): Generator<readonly string[]> {
  for (const element of Object.keys(set).toSorted()) {
    const node = set[element];
    if (node === undefined || element === self) continue;
    const path = [...before, element];
    if (isMember(node)) yield path;
    yield* pathsOf(node, path);
  }
}

/** Deepest set that is taken from a client; objects nest no deeper. */
const maxDepth = 256;

/** The set that a client's fieldsV1 spells, or undefined where it spells none. Elements of an unknown kind are left out, as upstream does. */
export function readSet(value: unknown, depth = 0): FieldSet | undefined {
  if (!isFields(value) || depth > maxDepth) return undefined;
  const set: Record<string, FieldSet> = {};
  for (const [text, inner] of Object.entries(value)) {
    const node = readSet(inner, depth + 1);
    if (node === undefined) return undefined;
    if (text === self) {
      if (depth > 0) set[self] = leaf;
      continue;
    }
    const element = canonicalElement(text);
    if (element.kind === 'wrong') return undefined;
    if (element.kind === 'known') set[element.text] = node;
  }
  return set;
}
