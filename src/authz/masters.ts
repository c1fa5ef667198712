import type { PolicyRule } from '../api/types/rbac.ts';

/** Members of this group may do everything. Upstream's name for it. */
export const mastersGroup = 'system:masters';

/** Everything, as rules: what system:masters and cluster-admin may do. */
export const fullAuthority: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];
