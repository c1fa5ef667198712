/** Service-account tokens for the volumes of pods: bound to the pod, asked for again when most of their life is over. */
import type { Pod } from '../../api/types/core.ts';
import type { Clock } from '../../std/clock.ts';
import { createAccountToken } from '../cluster/account-token.ts';
import type { AccountToken } from '../cluster/account-token.ts';
import type { ClusterClient } from '../cluster/client.ts';

export interface PodTokens {
  /** A token for `audience` ('' is the gateway's own) with at least a fifth of its life left. */
  get(pod: Pod, audience: string, expirationSeconds: number): Promise<string>;
}

export function createPodTokens(client: ClusterClient, clock: Clock): PodTokens {
  const kept = new Map<string, AccountToken>();
  return {
    get: (pod, audience, expirationSeconds) => {
      const { name, namespace = '', uid = '' } = pod.metadata;
      const key = JSON.stringify([uid, audience, expirationSeconds]);
      const known = kept.get(key);
      if (known !== undefined) return known.get();
      for (const [each, token] of kept) if (token.isOver()) kept.delete(each); // of pods that are gone
      const token = createAccountToken({
        client,
        clock,
        account: { namespace, name: pod.spec.serviceAccountName ?? 'default' },
        spec: {
          audiences: audience === '' ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
        },
      });
      kept.set(key, token);
      return token.get();
    },
  };
}
