/**
 * Who is bound to which role, where. Kind of subject → subject → namespace of the binding → bindings, as nested maps:
 * names never become part of a joined key. A ServiceAccount subject is filed under its user name, which is what it
 * authenticates as; users and groups are separate maps, since a user may be called like a group.
 */
import type { KubeObject } from '../api/meta.ts';
import type { Subject } from '../api/types/rbac.ts';
import type { User } from '../api/user.ts';
import type { Cell } from './cell.ts';
import { createCell } from './cell.ts';
import type { BindingKind } from './policy-object.ts';
import { rbacGroup, roleRefOf, subjectsOf } from './policy-object.ts';
import type { EffectiveRules, RoleEntry } from './role-index.ts';
import { RoleIndex } from './role-index.ts';

export interface Binding {
  /** Unique among all bindings there ever were in this index; says nothing else. */
  readonly id: string;
  readonly kind: BindingKind;
  /** '' for a ClusterRoleBinding. */
  readonly namespace: string;
  readonly name: string;
  readonly role: RoleEntry;
  readonly subjects: readonly Subject[];
}

interface SubjectEntry extends Cell {
  readonly bindings: Map<string, Map<Binding, Subject>>;
}

/** More roles than this, and a decision depends on all policy instead of on each: checking the list would cost more than it saves. Chosen, not measured. */
const mostCells = 32;

export class GrantIndex {
  readonly #policy = createCell();
  readonly #newSubjects = createCell();
  readonly #roles = new RoleIndex(() => this.#policy.generation++);
  readonly #users = new Map<string, SubjectEntry>();
  readonly #groups = new Map<string, SubjectEntry>();
  readonly #bindings = new Map<BindingKind, Map<string, Map<string, Binding>>>([
    ['RoleBinding', new Map()],
    ['ClusterRoleBinding', new Map()],
  ]);
  readonly #boundTo = new Map<RoleEntry, Set<Binding>>();
  #made = 0;

  /** Takes in a role or binding as it is now. Other kinds are ignored. */
  set(object: KubeObject): void {
    if (!isRbac(object)) return;
    if (object.kind === 'Role' || object.kind === 'ClusterRole') this.#roles.set(object);
    if (object.kind === 'RoleBinding' || object.kind === 'ClusterRoleBinding') this.#bind(object.kind, object);
  }

  /** Forgets a role or binding. */
  delete(object: KubeObject): void {
    if (!isRbac(object)) return;
    if (object.kind === 'Role' || object.kind === 'ClusterRole') {
      this.#roles.delete(object);
      const entry = this.#roles.entry(object.kind, object.metadata.namespace ?? '', object.metadata.name ?? '');
      if (!this.#boundTo.has(entry)) this.#roles.release(entry);
    }
    if (object.kind === 'RoleBinding' || object.kind === 'ClusterRoleBinding') {
      this.#unbind(object.kind, object.metadata.namespace ?? '', object.metadata.name ?? '');
    }
  }

  /** Calls `visit` for every binding that reaches `user` in `namespace`: cluster-wide ones first, of the user before those of the groups. */
  visit(user: User, namespace: string, visit: (binding: Binding, subject: Subject) => void): void {
    for (const scope of namespace === '' ? [''] : ['', namespace]) {
      this.#users
        .get(user.name)
        ?.bindings.get(scope)
        ?.forEach((subject, binding) => visit(binding, subject));
      for (const group of user.groups) {
        this.#groups
          .get(group)
          ?.bindings.get(scope)
          ?.forEach((subject, binding) => visit(binding, subject));
      }
    }
  }

  /** Like `visit`, in every namespace. */
  visitEverywhere(user: User, visit: (binding: Binding, subject: Subject) => void): void {
    const entries = [this.#users.get(user.name), ...user.groups.map((group) => this.#groups.get(group))];
    for (const entry of entries) {
      entry?.bindings.forEach((bindings) => bindings.forEach((subject, binding) => visit(binding, subject)));
    }
  }

  /** What a decision about `user` in `namespace` depends on. */
  cells(user: User, namespace: string): readonly Cell[] {
    const cells = new Set<Cell>([this.#users.get(user.name) ?? this.#newSubjects]);
    for (const group of user.groups) cells.add(this.#groups.get(group) ?? this.#newSubjects);
    this.visit(user, namespace, ({ role }) => cells.add(role));
    return cells.size > mostCells ? [this.#policy] : [...cells];
  }

  /** The rules that a role grants now. */
  rules(role: RoleEntry): EffectiveRules {
    return this.#roles.effective(role);
  }

  /** The role that a binding in `namespace` refers to, if it exists. */
  findRole(kind: string, namespace: string, name: string): RoleEntry | undefined {
    return kind === 'Role' || kind === 'ClusterRole' ? this.#roles.find(kind, namespace, name) : undefined;
  }

  #bind(kind: BindingKind, object: KubeObject): void {
    const namespace = object.metadata.namespace ?? '';
    const name = object.metadata.name ?? '';
    this.#unbind(kind, namespace, name);
    // A RoleBinding without a namespace would be taken for a cluster-wide grant.
    if ((kind === 'RoleBinding') === (namespace === '')) return;
    const ref = roleRefOf(object);
    if (ref.kind !== 'ClusterRole' && !(ref.kind === 'Role' && kind === 'RoleBinding')) return;

    const role = this.#roles.entry(ref.kind, ref.kind === 'Role' ? namespace : '', ref.name);
    const binding: Binding = {
      id: `b${this.#made++}`,
      kind,
      namespace,
      name,
      role,
      subjects: subjectsOf(object),
    };
    nested(this.#bindings.get(kind), namespace).set(name, binding);
    let bound = this.#boundTo.get(role);
    if (bound === undefined) this.#boundTo.set(role, (bound = new Set()));
    bound.add(binding);
    for (const subject of binding.subjects) this.#file(binding, subject);
    this.#policy.generation++;
  }

  #unbind(kind: BindingKind, namespace: string, name: string): void {
    const names = this.#bindings.get(kind)?.get(namespace);
    const binding = names?.get(name);
    if (binding === undefined) return;
    names?.delete(name);
    if (names?.size === 0) this.#bindings.get(kind)?.delete(namespace);
    for (const subject of binding.subjects) this.#unfile(binding, subject);
    const bound = this.#boundTo.get(binding.role);
    bound?.delete(binding);
    if (bound?.size === 0) {
      this.#boundTo.delete(binding.role);
      this.#roles.release(binding.role);
    }
    this.#policy.generation++;
  }

  #file(binding: Binding, subject: Subject): void {
    const place = this.#placeOf(binding, subject);
    if (place === undefined) return;
    let entry = place.entries.get(place.name);
    if (entry === undefined) {
      entry = { generation: 0, bindings: new Map() };
      place.entries.set(place.name, entry);
      this.#newSubjects.generation++;
    }
    entry.generation++;
    const bindings = nested(entry.bindings, binding.namespace);
    if (!bindings.has(binding)) bindings.set(binding, subject);
  }

  #unfile(binding: Binding, subject: Subject): void {
    const place = this.#placeOf(binding, subject);
    const entry = place?.entries.get(place.name);
    if (place === undefined || entry === undefined) return;
    entry.generation++;
    const bindings = entry.bindings.get(binding.namespace);
    bindings?.delete(binding);
    if (bindings?.size === 0) entry.bindings.delete(binding.namespace);
    if (entry.bindings.size === 0) place.entries.delete(place.name);
  }

  /** Where `subject` is filed; undefined for one that can be nobody. */
  #placeOf(binding: Binding, { kind, name, namespace }: Subject) {
    switch (kind) {
      case 'User':
        return { entries: this.#users, name };
      case 'Group':
        return { entries: this.#groups, name };
      case 'ServiceAccount': {
        // In a RoleBinding the account's namespace defaults to the binding's; cluster-wide there is nothing to default to.
        const home = namespace === undefined || namespace === '' ? binding.namespace : namespace;
        return home === '' ? undefined : { entries: this.#users, name: `system:serviceaccount:${home}:${name}` };
      }
      default:
        return undefined;
    }
  }
}

function isRbac(object: KubeObject): boolean {
  return object.apiVersion.startsWith(`${rbacGroup}/`);
}

function nested<K, V>(maps: Map<string, Map<K, V>> | undefined, key: string): Map<K, V> {
  const inner = maps?.get(key) ?? new Map<K, V>();
  maps?.set(key, inner);
  return inner;
}
