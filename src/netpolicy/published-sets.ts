/**
 * The peer sets and endpoint sets that rules name, as slices: who uses them, what they hold, which slices differ from
 * what was handed out last.
 */
import type { PeerEndpoint, PeerSetSlice } from './allow-list.ts';
import { encodePeerSetSlice } from './allow-list.ts';
import { digest } from './digest.ts';
import type { PortName } from './policy-form.ts';
import { endpointSetId } from './policy-form.ts';
import type { Interned } from './selection-index.ts';
import { SlicedSet } from './sliced-set.ts';
import type { PodFacts } from './snapshot.ts';

type Way = 'add' | 'remove';

interface Published<Member> {
  readonly id: string;
  readonly set: SlicedSet<Member>;
  uses: number;
}

interface PublishedName extends Published<PeerEndpoint> {
  readonly name: PortName;
}

export class PublishedSets {
  readonly #peerSets = new Map<Interned, Published<string>>();
  readonly #endpointSets = new Map<string, PublishedName>();
  readonly #dirty = new Map<string, Published<string> | PublishedName>();
  readonly #gone = new Set<string>();
  /** A digest of each slice as it was handed out. */
  readonly #written = new Map<string, string>();

  /** One use more of the pods that `peer` finds as a peer set. */
  usePeers(peer: Interned): void {
    const known = this.#peerSets.get(peer);
    if (known !== undefined) {
      known.uses += 1;
      return;
    }
    const { id } = peer.selection;
    const published = { id, set: new SlicedSet<string>(id), uses: 1 };
    this.#peerSets.set(peer, published);
    for (const { pods } of peer.groups) for (const pod of pods.values()) this.#fillPeers(published, pod, 'add');
  }

  /** One use less; after the last its slices go. */
  dropPeers(peer: Interned): void {
    const published = this.#peerSets.get(peer);
    if (published !== undefined && this.#drop(published)) this.#peerSets.delete(peer);
  }

  /** One use more of the endpoint set of a port name; `pods` are all there are. */
  useName(name: PortName, pods: Iterable<PodFacts>): void {
    const id = endpointSetId(name);
    const known = this.#endpointSets.get(id);
    if (known !== undefined) {
      known.uses += 1;
      return;
    }
    const published = { id, set: new SlicedSet<PeerEndpoint>(id), uses: 1, name };
    this.#endpointSets.set(id, published);
    for (const pod of pods) this.#fillEndpoints(published, pod, 'add');
  }

  dropName(name: PortName): void {
    const published = this.#endpointSets.get(endpointSetId(name));
    if (published !== undefined && this.#drop(published)) this.#endpointSets.delete(published.id);
  }

  /** `peer` finds these pods from now on, or no longer. */
  movePeers(peer: Interned, pods: Iterable<PodFacts>, way: Way): void {
    const published = this.#peerSets.get(peer);
    if (published !== undefined) for (const pod of pods) this.#fillPeers(published, pod, way);
  }

  /** A pod came or went: the endpoint sets of its port names follow. */
  movePod(pod: PodFacts, way: Way): void {
    for (const id of new Set(pod.ports.map(endpointSetId))) {
      const published = this.#endpointSets.get(id);
      if (published !== undefined) this.#fillEndpoints(published, pod, way);
    }
  }

  /** The slices that differ from what was handed out last; undefined where one is to be deleted. */
  take(): ReadonlyMap<string, PeerSetSlice | undefined> {
    const slices = new Map<string, PeerSetSlice | undefined>([...this.#gone].map((name) => [name, undefined]));
    for (const { id, set } of this.#dirty.values()) {
      for (const [name, members] of set.takeChanges()) {
        slices.set(name, members === undefined ? undefined : sliceOf(name, id, members));
      }
    }
    this.#gone.clear();
    this.#dirty.clear();
    for (const [name, slice] of slices) if (!this.#note(name, slice)) slices.delete(name);
    return slices;
  }

  #note(name: string, slice: PeerSetSlice | undefined): boolean {
    if (slice === undefined) return this.#written.delete(name);
    const text = digest(JSON.stringify(slice.spec));
    if (this.#written.get(name) === text) return false;
    this.#written.set(name, text);
    return true;
  }

  #drop(published: Published<string> | PublishedName): boolean {
    published.uses -= 1;
    if (published.uses > 0) return false;
    const { id, set } = published;
    for (const name of [...set.takeChanges().keys(), ...set.sliceNames()]) this.#gone.add(name);
    this.#dirty.delete(id);
    return true;
  }

  #fillPeers(published: Published<string>, pod: PodFacts, way: Way): void {
    for (const address of pod.addresses) {
      if (way === 'add') published.set.add(address, address);
      else published.set.remove(address);
    }
    this.#dirty.set(published.id, published);
  }

  #fillEndpoints(published: PublishedName, pod: PodFacts, way: Way): void {
    const { name, protocol } = published.name;
    for (const { port } of pod.ports.filter((one) => one.name === name && one.protocol === protocol)) {
      for (const address of pod.addresses) {
        const key = JSON.stringify([address, port]);
        if (way === 'add') published.set.add(key, { address, protocol, port });
        else published.set.remove(key);
      }
    }
    this.#dirty.set(published.id, published);
  }
}

function sliceOf(name: string, peerSet: string, members: readonly (string | PeerEndpoint)[]): PeerSetSlice {
  const addresses = members.filter((member) => typeof member === 'string');
  const endpoints = members.filter((member) => typeof member !== 'string');
  return encodePeerSetSlice(name, {
    peerSet,
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(endpoints.length > 0 ? { endpoints } : {}),
  });
}
