/** The objects of netpolicy.gatehouse.dev as clients address them. */
import { resourceRef } from '../core/cluster/resource-ref.ts';
import type { NodeAllowList, PeerSetSlice } from '../netpolicy/allow-list.ts';

const group = 'netpolicy.gatehouse.dev';

/** One per node: what it enforces. */
export const nodeAllowLists = resourceRef<NodeAllowList>(group, 'v1', 'nodeallowlists', 'NodeAllowList', 'cluster');

/** Members of peer sets. */
export const peerSetSlices = resourceRef<PeerSetSlice>(group, 'v1', 'peersetslices', 'PeerSetSlice', 'cluster');
