/**
 * Roles by name, their rules compiled when first asked for. An aggregated ClusterRole has the rules of the roles it
 * selects, worked out here and not read from what a controller wrote on it: a revoked rule is gone before that
 * controller runs. A role that is referred to but does not exist has an entry all the same, without rules, so that
 * decisions made in its absence fall when it appears.
 */
import type { KubeObject } from '../api/meta.ts';
import type { LabelSelector } from '../api/types/meta.ts';
import type { PolicyRule } from '../api/types/rbac.ts';
import { selectsAny, uniqueRules } from './aggregate.ts';
import type { Cell } from './cell.ts';
import { compileRule } from './compile.ts';
import type { RoleKind } from './policy-object.ts';
import { aggregationOf, rulesOf } from './policy-object.ts';
import type { CompiledRule } from './rule.ts';

export interface RoleEntry extends Cell {
  readonly kind: RoleKind;
  readonly namespace: string;
  readonly name: string;
  /** undefined while the role does not exist. */
  definition: RoleDefinition | undefined;
  /** undefined until asked for, and again after a change. */
  effective: EffectiveRules | undefined;
}

interface RoleDefinition {
  readonly rules: readonly PolicyRule[];
  readonly aggregates: readonly LabelSelector[] | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** The rules a role grants; `compiled[i]` is `rules[i]`. */
export interface EffectiveRules {
  readonly rules: readonly PolicyRule[];
  readonly compiled: readonly CompiledRule[];
}

export class RoleIndex {
  readonly #clusterRoles = new Map<string, RoleEntry>();
  readonly #roles = new Map<string, Map<string, RoleEntry>>();
  readonly #aggregated = new Set<RoleEntry>();
  readonly #changed: () => void;

  /** `changed` is called for every change of any role. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  set(object: KubeObject): void {
    this.#define(object, {
      rules: rulesOf(object),
      aggregates: object.kind === 'ClusterRole' ? aggregationOf(object) : undefined,
      labels: object.metadata.labels ?? {},
    });
  }

  delete(object: KubeObject): void {
    this.#define(object, undefined);
  }

  /** The entry of a role, made if there is none: bindings hold on to it whether or not the role exists. */
  entry(kind: RoleKind, namespace: string, name: string): RoleEntry {
    const names = kind === 'ClusterRole' ? this.#clusterRoles : this.#namesIn(namespace);
    let entry = names.get(name);
    if (entry === undefined) {
      entry = { kind, namespace, name, generation: 0, definition: undefined, effective: undefined };
      names.set(name, entry);
    }
    return entry;
  }

  /** The entry of a role that exists. */
  find(kind: RoleKind, namespace: string, name: string): RoleEntry | undefined {
    const entry = kind === 'ClusterRole' ? this.#clusterRoles.get(name) : this.#roles.get(namespace)?.get(name);
    return entry?.definition === undefined ? undefined : entry;
  }

  /** Forgets an entry that nobody refers to any more, if its role does not exist either. */
  release({ kind, namespace, name, definition }: RoleEntry): void {
    if (definition !== undefined) return;
    if (kind === 'ClusterRole') {
      this.#clusterRoles.delete(name);
      return;
    }
    const names = this.#roles.get(namespace);
    names?.delete(name);
    if (names?.size === 0) this.#roles.delete(namespace);
  }

  /** What `entry` grants now; nothing if the role does not exist. */
  effective(entry: RoleEntry): EffectiveRules {
    if (entry.effective === undefined) {
      const rules =
        entry.definition?.aggregates === undefined
          ? (entry.definition?.rules ?? [])
          : uniqueRules(this.#gather(entry, new Set()));
      entry.effective = { rules, compiled: rules.map(compileRule) };
    }
    return entry.effective;
  }

  #namesIn(namespace: string): Map<string, RoleEntry> {
    let names = this.#roles.get(namespace);
    if (names === undefined) {
      names = new Map();
      this.#roles.set(namespace, names);
    }
    return names;
  }

  #define(object: KubeObject, definition: RoleDefinition | undefined): void {
    const kind = object.kind === 'ClusterRole' ? 'ClusterRole' : 'Role';
    const entry = this.entry(kind, object.metadata.namespace ?? '', object.metadata.name ?? '');
    const before = entry.definition;
    entry.definition = definition;
    if (definition?.aggregates === undefined) this.#aggregated.delete(entry);
    else this.#aggregated.add(entry);
    const seen = new Set<RoleEntry>();
    this.#invalidate(entry, before, seen);
    this.#invalidateAggregates(definition, seen);
    this.#changed();
  }

  #invalidate(entry: RoleEntry, as: RoleDefinition | undefined, seen: Set<RoleEntry>): void {
    entry.generation++;
    entry.effective = undefined;
    seen.add(entry);
    this.#invalidateAggregates(as, seen);
  }

  /** Every aggregated role that selects a role so labelled, and those that select it in turn. */
  #invalidateAggregates(definition: RoleDefinition | undefined, seen: Set<RoleEntry>): void {
    if (definition === undefined) return;
    for (const entry of this.#aggregated) {
      if (!seen.has(entry) && selectsAny(entry.definition?.aggregates ?? [], definition.labels))
        this.#invalidate(entry, entry.definition, seen);
    }
  }

  #gather(entry: RoleEntry, seen: Set<RoleEntry>): readonly PolicyRule[] {
    seen.add(entry);
    if (entry.definition === undefined) return [];
    const { aggregates, rules } = entry.definition;
    if (aggregates === undefined) return rules;
    return [...this.#clusterRoles.values()]
      .filter((other) => other.definition !== undefined && !seen.has(other))
      .filter((other) => selectsAny(aggregates, other.definition?.labels))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((other) => (seen.has(other) ? [] : this.#gather(other, seen)));
  }
}
