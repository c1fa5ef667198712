/** Service-account tokens for the volumes of pods: bound to the pod, asked for again when most of their life is over. */
import type { Pod } from '../../api/types/core.ts';
import { parseInstant } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { serviceAccounts } from '../cluster/resource-ref.ts';

export interface PodTokens {
  /** A token for `audience` ('' is the gateway's own) with at least a fifth of its life left. */
  get(pod: Pod, audience: string, expirationSeconds: number): Promise<string>;
}

interface TokenAnswer {
  readonly status: { readonly token: string; readonly expirationTimestamp: string };
}

// Source: upstream renews at 80 % of the life.
const usedShare = 0.8;

export function createPodTokens(client: ClusterClient, clock: Clock): PodTokens {
  const kept = new Map<string, { readonly token: string; readonly renewAt: number }>();
  return {
    get: async (pod, audience, expirationSeconds) => {
      const { name, namespace = '', uid = '' } = pod.metadata;
      const key = JSON.stringify([uid, audience, expirationSeconds]);
      const known = kept.get(key);
      if (known !== undefined && known.renewAt > clock.now()) return known.token;
      for (const [each, { renewAt }] of kept) if (renewAt <= clock.now()) kept.delete(each);
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: audience === '' ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
        },
      };
      const account = pod.spec.serviceAccountName ?? 'default';
      const { status } = (await client.post(
        serviceAccounts,
        { namespace, name: account },
        'token',
        body,
      )) as TokenAnswer;
      const life = (parseInstant(status.expirationTimestamp) ?? clock.now()) - clock.now();
      kept.set(key, { token: status.token, renewAt: clock.now() + life * usedShare });
      return status.token;
    },
  };
}
