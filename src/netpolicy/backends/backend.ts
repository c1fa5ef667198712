/**
 * What a node's service proxy can do, whoever does it. One contract suite holds every back end to this.
 */
import type { NodeAllowList, PeerSetSlice } from '../allow-list.ts';
import type { ServicePort } from '../service-map.ts';

/** What this back end enforces on this machine. What is false here is said aloud: by the node's status, `up` and the console. */
export interface Capabilities {
  readonly backend: 'nftables' | 'userspace';
  /** Policy holds for dials to services. */
  readonly serviceTraffic: boolean;
  /** Policy holds for dials to pod addresses, from pods and from outside. */
  readonly podTraffic: boolean;
  readonly sctp: boolean;
  /** Connections that a change forbids are cut, not only refused anew. */
  readonly cutsEstablished: boolean;
  /** The rules outlive the agent. */
  readonly outlivesAgent: boolean;
  /** The above in words, for people; empty when all is enforced. */
  readonly notEnforced: readonly string[];
}

/** A pod of this node as the agent knows it, before any list holds it. */
export interface LocalPod {
  readonly uid: string;
  readonly addresses: readonly string[];
  /** The host's end of its link: a packet from there with another source is dropped. Undefined where pods have no link. */
  readonly interface?: string;
}

/** The allow-list of this node with the slices of every peer set it refers to; a slice that is missing is an empty one. */
export interface PolicyView {
  readonly allowList: NodeAllowList;
  readonly slices: readonly PeerSetSlice[];
  /**
   * Lists of other nodes, for a back end that relays to their pods itself and so must judge what they may receive. The
   * kernel's does not need them: there the other node judges.
   */
  readonly others?: readonly NodeAllowList[];
}

/**
 * Every method resolves once what it asks is in force and rejects when it could not be brought into force: what was in
 * force before still is then, and the next call tries to bring in everything.
 */
export interface DataPlane {
  readonly capabilities: Capabilities;
  /**
   * Takes over what an earlier agent left in force. Resolves with the pod addresses found there: they stay denied until they
   * are added or removed.
   */
  start(): Promise<readonly string[]>;
  /** Denies the pod everything until a list holds its uid. To be awaited before its link is up or its first container runs. */
  podAdded(pod: LocalPod): Promise<void>;
  /** Forgets a pod and its connections, so that an heir of its address inherits nothing. */
  podRemoved(addresses: readonly string[]): Promise<void>;
  apply(view: PolicyView): Promise<void>;
  applyServices(services: readonly ServicePort[]): Promise<void>;
  /** metadata.generation of the list in force. */
  enforcedGeneration(): number | undefined;
  /** Ends the back end. With `leaveRules` what is in force stays so where it can; else all of it is taken away. */
  stop(options: { readonly leaveRules: boolean }): Promise<void>;
}
