/**
 * Clients that act as service accounts of kube-system, one for each controller: what a controller does is allowed by its
 * own role and stands under its own name in the audit trail.
 */
import { StatusError } from '../api/status.ts';
import { createClient } from '../core/cluster/client.ts';
import type { ClusterClient } from '../core/cluster/client.ts';
import { serviceAccounts } from '../core/cluster/resource-ref.ts';
import type { Fetch } from '../core/cluster/transport.ts';
import { parseInstant } from '../std/clock.ts';
import type { Clock } from '../std/clock.ts';

const namespace = 'kube-system';
const lifeSeconds = 3600;
const usedShare = 0.8;

interface Token {
  readonly text: string;
  readonly renewAt: number;
}

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
  let current: Promise<Token> | undefined;
  let renewAt = 0;

  const request = async (): Promise<Token> => {
    await ensureAccount(parent, name);
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [], expirationSeconds: lifeSeconds },
    };
    const { status } = (await parent.post(serviceAccounts, { namespace, name }, 'token', body)) as {
      readonly status: { readonly token: string; readonly expirationTimestamp: string };
    };
    const life = (parseInstant(status.expirationTimestamp) ?? clock.now()) - clock.now();
    renewAt = clock.monotonic() + life * usedShare;
    return { text: status.token, renewAt };
  };
  const token = async (): Promise<string> => {
    if (current === undefined || clock.monotonic() >= renewAt) {
      renewAt = Number.POSITIVE_INFINITY; // one renewal at a time
      current = request();
      current.catch(() => {
        current = undefined;
        renewAt = 0;
      });
    }
    return (await current).text;
  };
  return createClient({
    server,
    userAgent,
    fetch: async (asked) => {
      asked.headers.set('authorization', `Bearer ${await token()}`);
      const answer = await fetch(asked);
      if (answer.status === 401) current = undefined; // the account was made anew, or the keys were
      return answer;
    },
  });
}

async function ensureAccount(parent: ClusterClient, name: string): Promise<void> {
  try {
    await parent.create(serviceAccounts, { metadata: { namespace, name } });
  } catch (error) {
    if (!(error instanceof StatusError && error.reason === 'AlreadyExists')) throw error;
  }
}
