/**
 * The compiler: changes of Pods, Namespaces, Nodes and NetworkPolicies in, the allow-list objects that differ out.
 * It keeps what it was told and never asks anybody. What it puts out depends on the objects alone and not on the order in which
 * they came: after any changes it equals what a new compiler makes of the same objects.
 */
import type { Namespace, Node, Pod } from '../api/types/core.ts';
import type { NetworkPolicy } from '../api/types/networking.ts';
import type { AllowListPod, NodeAllowList, PeerSetSlice, PolicySet } from './allow-list.ts';
import { encodeNodeAllowList } from './allow-list.ts';
import { digest } from './digest.ts';
import type { PolicyForm, PortName } from './policy-form.ts';
import { policyForm } from './policy-form.ts';
import type { PodPolicySets } from './policy-sets.ts';
import { policySetsFor, setsNamedBy } from './policy-sets.ts';
import { PublishedSets } from './published-sets.ts';
import type { Interned, PodGroup } from './selection-index.ts';
import { SelectionIndex } from './selection-index.ts';
import { compareText } from './selector.ts';
import type { NamedPort, PodFacts } from './snapshot.ts';
import { namespaceLabels, nodeAddresses, podFacts, podFactsText } from './snapshot.ts';

/** The kinds that network policy depends on. */
export type PolicyInput = Pod | Namespace | Node | NetworkPolicy;

/** Objects to write by name; undefined where one is to be deleted. */
export interface AllowListChanges {
  readonly lists: ReadonlyMap<string, NodeAllowList | undefined>;
  readonly slices: ReadonlyMap<string, PeerSetSlice | undefined>;
}

interface Policy {
  readonly form: PolicyForm;
  readonly subject: Interned;
  readonly peers: readonly Interned[];
  readonly names: readonly PortName[];
}

export class AllowListCompiler {
  readonly #pods = new Map<string, { readonly facts: PodFacts; readonly text: string }>();
  readonly #nodes = new Map<string, readonly string[]>();
  readonly #podsOfNode = new Map<string, Map<string, PodFacts>>();
  readonly #policies = new Map<string, Policy>();
  readonly #policiesOf = new Map<Interned, Set<Policy>>();
  readonly #sets = new PublishedSets();
  readonly #podSets = new WeakMap<PodGroup, (ports: readonly NamedPort[]) => PodPolicySets>();
  readonly #index = new SelectionIndex({
    entered: (interned, pods) => this.#moved(interned, pods, 'add'),
    left: (interned, pods) => this.#moved(interned, pods, 'remove'),
    rematched: (group) => this.#podSets.delete(group),
  });

  readonly #dirtyNodes = new Set<string>();
  /** A digest of each list as it was handed out. */
  readonly #writtenLists = new Map<string, string>();

  /** Takes an object as it is now. Other kinds are ignored. */
  upsert(object: PolicyInput): void {
    const { namespace = '', name } = object.metadata;
    // The kind says which type it is; the union has no literal to narrow by.
    switch (object.kind) {
      case 'Pod':
        this.#setPod(`${namespace}/${name}`, podFacts(object as Pod));
        return;
      case 'Namespace':
        this.#index.setNamespace(name, namespaceLabels(object as Namespace));
        return;
      case 'Node':
        this.#nodes.set(name, nodeAddresses(object as Node));
        this.#dirtyNodes.add(name);
        return;
      case 'NetworkPolicy':
        this.#setPolicy(`${namespace}/${name}`, policyForm(object as NetworkPolicy));
        return;
      default:
    }
  }

  /** Forgets an object; one that it does not know is no error. */
  remove(kind: string, namespace: string, name: string): void {
    switch (kind) {
      case 'Pod':
        this.#setPod(`${namespace}/${name}`, undefined);
        return;
      case 'Namespace':
        this.#index.setNamespace(name, undefined);
        return;
      case 'Node':
        this.#nodes.delete(name);
        this.#dirtyNodes.add(name);
        return;
      case 'NetworkPolicy':
        this.#setPolicy(`${namespace}/${name}`, undefined);
        return;
      default:
    }
  }

  /** What has to be written since this was last asked; the first time, everything. */
  take(): AllowListChanges {
    const changes = { lists: this.#takeLists(), slices: this.#sets.take() };
    this.#dirtyNodes.clear();
    return changes;
  }

  #setPod(key: string, facts: PodFacts | undefined): void {
    const before = this.#pods.get(key);
    const text = facts === undefined ? undefined : podFactsText(facts);
    if (before?.text === text) return;
    if (before !== undefined) {
      this.#pods.delete(key);
      this.#index.removePod(before.facts);
      this.#placePod(before.facts, 'remove');
    }
    if (facts !== undefined && text !== undefined) {
      this.#pods.set(key, { facts, text });
      this.#index.addPod(facts);
      this.#placePod(facts, 'add');
    }
  }

  #placePod(pod: PodFacts, way: 'add' | 'remove'): void {
    this.#dirtyNodes.add(pod.node);
    const pods = this.#podsOfNode.get(pod.node) ?? new Map<string, PodFacts>();
    if (way === 'add') this.#podsOfNode.set(pod.node, pods.set(pod.key, pod));
    else if (pods.delete(pod.key) && pods.size === 0) this.#podsOfNode.delete(pod.node);
    this.#sets.movePod(pod, way);
  }

  #setPolicy(key: string, form: PolicyForm | undefined): void {
    const before = this.#policies.get(key);
    const same = before?.form.digest === form?.digest && before?.form.subject.id === form?.subject.id;
    if (same) return;
    // The new one first: what both use is not given up in between.
    const after = form === undefined ? undefined : this.#adopt(form);
    if (before !== undefined) this.#abandon(before);
    if (after === undefined) this.#policies.delete(key);
    else this.#policies.set(key, after);
  }

  #adopt(form: PolicyForm): Policy {
    const rules = [...(form.rules.ingress ?? []), ...(form.rules.egress ?? [])];
    const policy: Policy = {
      form,
      subject: this.#index.acquire(form.subject),
      peers: rules.flatMap(({ peers }) => (peers?.selections ?? []).map((one) => this.#index.acquire(one))),
      names: (form.rules.egress ?? []).flatMap((rule) => rule.names),
    };
    for (const peer of policy.peers) this.#sets.usePeers(peer);
    for (const name of policy.names) this.#sets.useName(name, this.#allPods());
    const others = this.#policiesOf.get(policy.subject);
    if (others === undefined) this.#policiesOf.set(policy.subject, new Set([policy]));
    else others.add(policy);
    this.#rejudge(policy.subject);
    return policy;
  }

  #abandon(policy: Policy): void {
    const others = this.#policiesOf.get(policy.subject);
    others?.delete(policy);
    if (others?.size === 0) this.#policiesOf.delete(policy.subject);
    this.#rejudge(policy.subject);
    for (const peer of policy.peers) {
      this.#sets.dropPeers(peer);
      this.#index.release(peer);
    }
    for (const name of policy.names) this.#sets.dropName(name);
    this.#index.release(policy.subject);
  }

  #rejudge(subject: Interned): void {
    for (const group of subject.groups) {
      this.#podSets.delete(group);
      for (const pod of group.pods.values()) this.#dirtyNodes.add(pod.node);
    }
  }

  #moved(interned: Interned, pods: Iterable<PodFacts>, way: 'add' | 'remove'): void {
    const moved = [...pods];
    if (this.#policiesOf.has(interned)) for (const pod of moved) this.#dirtyNodes.add(pod.node);
    this.#sets.movePeers(interned, moved, way);
  }

  *#allPods(): Iterable<PodFacts> {
    for (const { facts } of this.#pods.values()) yield facts;
  }

  #takeLists(): ReadonlyMap<string, NodeAllowList | undefined> {
    const lists = new Map<string, NodeAllowList | undefined>();
    for (const node of this.#dirtyNodes) {
      const list = this.#listOf(node);
      const text = list === undefined ? undefined : digest(JSON.stringify(list.spec));
      if (text === this.#writtenLists.get(node)) continue;
      lists.set(node, list);
      if (text === undefined) this.#writtenLists.delete(node);
      else this.#writtenLists.set(node, text);
    }
    return lists;
  }

  #listOf(node: string): NodeAllowList | undefined {
    const addresses = this.#nodes.get(node);
    const pods = this.#podsOfNode.get(node);
    if (addresses === undefined && pods === undefined) return undefined;
    const used = new Map<string, PolicySet>();
    const entries = [...(pods?.values() ?? [])].map((pod) => this.#entryOf(pod, used));
    const policySets = [...used.values()].toSorted((a, b) => compareText(a.id, b.id));
    return encodeNodeAllowList(node, {
      nodeAddresses: addresses ?? [],
      pods: entries.toSorted((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name)),
      policySets,
      peerSets: [...new Set(policySets.flatMap(setsNamedBy))].toSorted(compareText),
    });
  }

  #entryOf(pod: PodFacts, used: Map<string, PolicySet>): AllowListPod {
    const { ingress, egress } = this.#policySetsOf(pod);
    for (const set of [ingress, egress]) if (set !== undefined) used.set(set.id, set);
    const { uid, namespace, name, addresses } = pod;
    return {
      uid,
      namespace,
      name,
      addresses,
      ...(ingress === undefined ? {} : { ingress: ingress.id }),
      ...(egress === undefined ? {} : { egress: egress.id }),
    };
  }

  #policySetsOf(pod: PodFacts): PodPolicySets {
    const group = this.#index.groupOf(pod);
    if (group === undefined) throw new Error(`pod ${pod.key} is in no group`);
    let sets = this.#podSets.get(group);
    if (sets === undefined) {
      const policies = [...group.selections].flatMap((interned) => [...(this.#policiesOf.get(interned) ?? [])]);
      sets = policySetsFor(policies.map(({ form }) => form));
      this.#podSets.set(group, sets);
    }
    return sets(pod.ports);
  }
}
