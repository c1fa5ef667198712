/**
 * Clients that act as service accounts of kube-system, one for each controller: what a controller does is allowed by its
 * own role and stands under its own name in the audit trail.
 */
import { createAccountToken } from '../core/cluster/account-token.ts';
import { createClient } from '../core/cluster/client.ts';
import type { ClusterClient } from '../core/cluster/client.ts';
import { ignoring } from '../core/cluster/ignoring.ts';
import { serviceAccounts } from '../core/cluster/resource-ref.ts';
import type { Fetch } from '../core/cluster/transport.ts';
import type { Clock } from '../std/clock.ts';

const namespace = 'kube-system';
const lifeSeconds = 3600;

/** A client for the account `name`, which `parent` creates if need be and asks tokens for. */
export function accountClient(options: {
  readonly name: string;
  readonly parent: ClusterClient;
  /** A connection that shows no certificate: a certificate would come before the token. */
  readonly fetch: Fetch;
  readonly server: string;
  readonly userAgent: string;
  readonly clock: Clock;
}): ClusterClient {
  const { name, parent, fetch, server, userAgent, clock } = options;
  const token = createAccountToken({
    client: parent,
    clock,
    account: { namespace, name },
    spec: { audiences: [], expirationSeconds: lifeSeconds },
    prepare: () => ignoring(['AlreadyExists'], () => parent.create(serviceAccounts, { metadata: { namespace, name } })),
  });
  return createClient({
    server,
    userAgent,
    fetch: async (asked) => {
      asked.headers.set('authorization', `Bearer ${await token.get()}`);
      const answer = await fetch(asked);
      if (answer.status === 401) token.forget(); // the account was made anew, or the keys were
      return answer;
    },
  });
}
