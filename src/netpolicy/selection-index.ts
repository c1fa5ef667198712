/**
 * Which selections find which pods, kept up to date change by change.
 *
 * Pods are grouped by namespace and by those of their labels that some selector mentions; all pods of a group are
 * found by the same selections, so matching is done once for a group. A selection is interned: policies that select
 * the same pods share it. It is filed under a label that all its pods must carry (its anchor), so a new group is
 * compared with few selections and a new selection with few groups.
 */
import { LabelShelf } from './label-shelf.ts';
import type { PodSelection } from './policy-form.ts';
import type { Labels, Selector } from './selector.ts';
import { anchorOf, mentionedKeys, selects } from './selector.ts';
import type { PodFacts } from './snapshot.ts';

/** Pods no selector can tell apart. */
export interface PodGroup {
  readonly namespace: string;
  /** Only the labels that selectors mention. */
  readonly labels: Labels;
  readonly text: string;
  readonly pods: Map<string, PodFacts>;
  readonly selections: Set<Interned>;
}

/** A selection that somebody uses, and whom it finds. */
export interface Interned {
  readonly selection: PodSelection;
  readonly groups: Set<PodGroup>;
  uses: number;
}

/** Told after the fact; `acquire` and `release` themselves are silent. */
export interface SelectionListener {
  entered(interned: Interned, pods: Iterable<PodFacts>): void;
  left(interned: Interned, pods: Iterable<PodFacts>): void;
  /** The selections that find this group changed. */
  rematched(group: PodGroup): void;
}

/** The selections of one scope, filed by anchor. */
interface ScopeShelf {
  readonly anchored: LabelShelf<Interned>;
  readonly loose: Set<Interned>;
  size: number;
}

interface NamespaceScope {
  readonly selector: Selector;
  readonly shelf: ScopeShelf;
  readonly namespaces: Set<string>;
}

interface NamespaceGroups {
  readonly all: Map<string, PodGroup>;
  readonly byLabel: LabelShelf<PodGroup>;
}

export class SelectionIndex {
  readonly #listener: SelectionListener;
  readonly #interned = new Map<string, Interned>();
  readonly #ownScopes = new Map<string, ScopeShelf>();
  readonly #namespaceScopes = new Map<string, NamespaceScope>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #groups = new Map<string, NamespaceGroups>();
  readonly #groupOf = new Map<string, PodGroup>();
  readonly #mentioned = new Map<string, number>();

  constructor(listener: SelectionListener) {
    this.#listener = listener;
  }

  addPod(pod: PodFacts): void {
    const group = this.#join(pod);
    for (const interned of group.selections) this.#listener.entered(interned, [pod]);
  }

  removePod(pod: PodFacts): void {
    const group = this.#leave(pod);
    if (group === undefined) return;
    for (const interned of group.selections) this.#listener.left(interned, [pod]);
    this.#dropIfEmpty(group);
  }

  groupOf(pod: PodFacts): PodGroup | undefined {
    return this.#groupOf.get(pod.key);
  }

  /** The namespace's labels as they are now; undefined once it is gone: then no namespace selector finds it. */
  setNamespace(name: string, labels: Labels | undefined): void {
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
    for (const scope of this.#namespaceScopes.values()) {
      const found = labels !== undefined && selects(scope.selector, labels);
      if (found === scope.namespaces.has(name)) continue;
      if (found) scope.namespaces.add(name);
      else scope.namespaces.delete(name);
      for (const group of this.#groups.get(name)?.all.values() ?? []) this.#rematch(group, scope.shelf, found);
    }
  }

  /** The one interned form of `selection`, with one use more. */
  acquire(selection: PodSelection): Interned {
    const known = this.#interned.get(selection.id);
    if (known !== undefined) {
      known.uses += 1;
      return known;
    }
    for (const key of mentionedKeys(selection.pods)) this.#mention(key);
    const interned: Interned = { selection, groups: new Set(), uses: 1 };
    this.#interned.set(selection.id, interned);
    fileIn(this.#shelfFor(selection), interned);
    for (const group of this.#candidates(selection)) {
      if (!selects(selection.pods, group.labels)) continue;
      interned.groups.add(group);
      group.selections.add(interned);
    }
    return interned;
  }

  /** Gives one use back; after the last the selection is forgotten. */
  release(interned: Interned): void {
    interned.uses -= 1;
    if (interned.uses > 0) return;
    const { selection } = interned;
    for (const group of interned.groups) group.selections.delete(interned);
    this.#interned.delete(selection.id);
    this.#unfile(interned);
    for (const key of mentionedKeys(selection.pods)) {
      const uses = (this.#mentioned.get(key) ?? 0) - 1;
      // Groups stay as fine as they are: finer than needed is still right, and the key may come back.
      if (uses > 0) this.#mentioned.set(key, uses);
      else this.#mentioned.delete(key);
    }
  }

  #join(pod: PodFacts): PodGroup {
    const labels = new Map([...pod.labels].filter(([key]) => this.#mentioned.has(key)));
    const text = JSON.stringify([...labels]);
    let groups = this.#groups.get(pod.namespace);
    if (groups === undefined) this.#groups.set(pod.namespace, (groups = { all: new Map(), byLabel: new LabelShelf() }));
    let group = groups.all.get(text);
    if (group === undefined) {
      group = { namespace: pod.namespace, labels, text, pods: new Map(), selections: new Set() };
      groups.all.set(text, group);
      for (const [key, value] of labels) groups.byLabel.add(key, value, group);
      this.#match(group);
    }
    group.pods.set(pod.key, pod);
    this.#groupOf.set(pod.key, group);
    return group;
  }

  #leave(pod: PodFacts): PodGroup | undefined {
    const group = this.#groupOf.get(pod.key);
    group?.pods.delete(pod.key);
    this.#groupOf.delete(pod.key);
    return group;
  }

  #dropIfEmpty(group: PodGroup): void {
    if (group.pods.size > 0) return;
    for (const interned of group.selections) interned.groups.delete(group);
    const groups = this.#groups.get(group.namespace);
    if (groups === undefined) return;
    groups.all.delete(group.text);
    for (const [key, value] of group.labels) groups.byLabel.remove(key, value, group);
    if (groups.all.size === 0) this.#groups.delete(group.namespace);
  }

  #match(group: PodGroup): void {
    const scopes = [...this.#namespaceScopes.values()].filter(({ namespaces }) => namespaces.has(group.namespace));
    const shelves = [this.#ownScopes.get(group.namespace), ...scopes.map(({ shelf }) => shelf)];
    for (const interned of shelves.flatMap((shelf) => (shelf === undefined ? [] : matching(shelf, group.labels)))) {
      interned.groups.add(group);
      group.selections.add(interned);
    }
  }

  #rematch(group: PodGroup, shelf: ScopeShelf, found: boolean): void {
    for (const interned of matching(shelf, group.labels)) {
      if (found) {
        interned.groups.add(group);
        group.selections.add(interned);
        this.#listener.entered(interned, group.pods.values());
      } else {
        interned.groups.delete(group);
        group.selections.delete(interned);
        this.#listener.left(interned, group.pods.values());
      }
    }
    this.#listener.rematched(group);
  }

  // No selection that exists mentions a key that is new, so the finer groups are found by the same selections as before.
  #mention(key: string): void {
    const uses = this.#mentioned.get(key) ?? 0;
    this.#mentioned.set(key, uses + 1);
    if (uses > 0) return;
    for (const group of [...this.#groups.values()].flatMap(({ all }) => [...all.values()])) {
      for (const pod of [...group.pods.values()].filter(({ labels }) => labels.has(key))) {
        this.#leave(pod);
        this.#join(pod);
      }
      this.#dropIfEmpty(group);
    }
  }

  #candidates({ scope, pods }: PodSelection): readonly PodGroup[] {
    const namespaces = scope.kind === 'namespace' ? [scope.namespace] : this.#scopeFor(scope.selector).namespaces;
    const anchor = anchorOf(pods);
    return [...namespaces].flatMap((namespace) => {
      const groups = this.#groups.get(namespace);
      if (groups === undefined) return [];
      return anchor === undefined
        ? [...groups.all.values()]
        : anchor.values.flatMap((value) => [...groups.byLabel.at(anchor.key, value)]);
    });
  }

  #shelfFor({ scope }: PodSelection): ScopeShelf {
    if (scope.kind === 'namespaces') return this.#scopeFor(scope.selector).shelf;
    let shelf = this.#ownScopes.get(scope.namespace);
    if (shelf === undefined) this.#ownScopes.set(scope.namespace, (shelf = emptyShelf()));
    return shelf;
  }

  #scopeFor(selector: Selector): NamespaceScope {
    const known = this.#namespaceScopes.get(selector.text);
    if (known !== undefined) return known;
    const found = [...this.#namespaces].filter(([, labels]) => selects(selector, labels));
    const scope = { selector, shelf: emptyShelf(), namespaces: new Set(found.map(([name]) => name)) };
    this.#namespaceScopes.set(selector.text, scope);
    return scope;
  }

  #unfile(interned: Interned): void {
    const { scope, pods } = interned.selection;
    const shelf = this.#shelfFor(interned.selection);
    const anchor = anchorOf(pods);
    if (anchor === undefined) shelf.loose.delete(interned);
    else for (const value of anchor.values) shelf.anchored.remove(anchor.key, value, interned);
    shelf.size -= 1;
    if (shelf.size > 0) return;
    if (scope.kind === 'namespace') this.#ownScopes.delete(scope.namespace);
    else this.#namespaceScopes.delete(scope.selector.text);
  }
}

function emptyShelf(): ScopeShelf {
  return { anchored: new LabelShelf(), loose: new Set(), size: 0 };
}

function fileIn(shelf: ScopeShelf, interned: Interned): void {
  const anchor = anchorOf(interned.selection.pods);
  if (anchor === undefined) shelf.loose.add(interned);
  else for (const value of anchor.values) shelf.anchored.add(anchor.key, value, interned);
  shelf.size += 1;
}

function matching(shelf: ScopeShelf, labels: Labels): readonly Interned[] {
  const candidates = [...shelf.loose, ...[...labels].flatMap(([key, value]) => [...shelf.anchored.at(key, value)])];
  return candidates.filter(({ selection }) => selects(selection.pods, labels));
}
