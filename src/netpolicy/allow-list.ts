/**
 * What a node is told to enforce, as API objects of group netpolicy.gatehouse.dev (both cluster-scoped):
 *
 * - `NodeAllowList`, one per node and named after it: its pods, which policy set judges each of them in each
 *   direction, and the rules of those policy sets. A pod without a policy set in a direction is not isolated there;
 *   a pod that the list does not hold may send and receive nothing.
 * - `PeerSetSlice`, at most 1 000 members of one peer set. Rules name peer sets; a node reads the slices that carry
 *   the label `netpolicy.gatehouse.dev/peer-set` with one of the ids in its list's `peerSets`. So one pod's change
 *   rewrites one slice, and not one object per node. A peer set with no slice is empty.
 *
 * Ids are hashes of what they stand for: the same policy gives the same id on every machine and after every restart.
 * Rules only allow. Other tiers (Admin, Baseline) will be further members of PolicySet, judged before and after
 * `policies`.
 */
import type { KubeObject } from '../api/meta.ts';

export const allowListApiVersion = 'netpolicy.gatehouse.dev/v1';

/** The label by which a slice says whose members it holds. */
export const peerSetLabel = 'netpolicy.gatehouse.dev/peer-set';

/** Members one slice holds at most: it stays a few tens of kilobytes, as EndpointSlices do. */
export const maxSliceMembers = 1000;

export type Direction = 'ingress' | 'egress';

export type TransportProtocol = 'TCP' | 'UDP' | 'SCTP';

/** Ports of one protocol, inclusive at both ends; with no `port`, all of them. */
export interface AllowedPorts {
  readonly protocol: TransportProtocol;
  readonly port?: number;
  readonly endPort?: number;
}

export interface AllowedBlock {
  readonly cidr: string;
  readonly except?: readonly string[];
}

/**
 * Traffic is allowed when its peer is one of `peerSets` or in one of `blocks` (neither field: any peer), and its
 * destination port is one of `ports`, or destination, protocol and port together are a member of one of `endpointSets` (neither: any port and any protocol).
 * An empty array allows nothing, a field left out is no restriction.
 */
export interface AllowRule {
  readonly peerSets?: readonly string[];
  readonly blocks?: readonly AllowedBlock[];
  readonly ports?: readonly AllowedPorts[];
  /** Egress only: a port name means another number in each destination pod, so the set holds the resolved triples. */
  readonly endpointSets?: readonly string[];
}

/** The rules one policy (`namespace/name`) adds. */
export interface PolicyRules {
  readonly policy: string;
  readonly rules: readonly AllowRule[];
}

/** The policies that together isolate a pod in one direction: allowed is what any rule of any of them allows. */
export interface PolicySet {
  readonly id: string;
  readonly direction: Direction;
  readonly policies: readonly PolicyRules[];
}

/** One pod of the node. Its entry holds for the pod with this uid alone: an heir of the address is not covered by it. */
export interface AllowListPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  /** Id of the policy set that judges what it receives; left out: it is not isolated. */
  readonly ingress?: string;
  /** The same for what it opens. */
  readonly egress?: string;
}

export interface NodeAllowListSpec {
  /** The node's own addresses: what comes from them always reaches the node's pods. */
  readonly nodeAddresses: readonly string[];
  readonly pods: readonly AllowListPod[];
  readonly policySets: readonly PolicySet[];
  /** Every peer set and endpoint set that the policy sets name. */
  readonly peerSets: readonly string[];
}

/** Written by the node alone. */
export interface NodeAllowListStatus {
  /** The metadata.generation of the list that is in the kernel now. */
  readonly observedGeneration?: number;
  /** The greatest resourceVersion among the list and the slices that are in the kernel now. */
  readonly enforcedResourceVersion?: string;
  /** How it is enforced: the back end's name. */
  readonly backend?: string;
  /** What this node cannot enforce, in words for people. */
  readonly notEnforced?: readonly string[];
}

export interface NodeAllowList extends KubeObject {
  readonly apiVersion: typeof allowListApiVersion;
  readonly kind: 'NodeAllowList';
  readonly spec: NodeAllowListSpec;
  readonly status?: NodeAllowListStatus;
}

/** A pod's address with one of its named ports resolved. */
export interface PeerEndpoint {
  readonly address: string;
  readonly protocol: TransportProtocol;
  readonly port: number;
}

/** Members of a peer set (`addresses`) or of an endpoint set (`endpoints`). */
export interface PeerSetSliceSpec {
  readonly peerSet: string;
  readonly addresses?: readonly string[];
  readonly endpoints?: readonly PeerEndpoint[];
}

export interface PeerSetSlice extends KubeObject {
  readonly apiVersion: typeof allowListApiVersion;
  readonly kind: 'PeerSetSlice';
  readonly spec: PeerSetSliceSpec;
}

/** The list of `node` as it is written. */
export function encodeNodeAllowList(node: string, spec: NodeAllowListSpec): NodeAllowList {
  return { apiVersion: allowListApiVersion, kind: 'NodeAllowList', metadata: { name: node }, spec };
}

/** One slice as it is written; `name` is unique among all slices. */
export function encodePeerSetSlice(name: string, spec: PeerSetSliceSpec): PeerSetSlice {
  return {
    apiVersion: allowListApiVersion,
    kind: 'PeerSetSlice',
    metadata: { name, labels: { [peerSetLabel]: spec.peerSet } },
    spec,
  };
}
