/** Tokens of service accounts, asked for by TokenRequest and again when most of their life is over. */
import { parseInstant } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { At, ClusterClient } from './client.ts';
import { serviceAccounts } from './resource-ref.ts';

/** What is asked for. Source: authentication.k8s.io/v1, TokenRequestSpec. */
export interface TokenSpec {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly boundObjectRef?: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
  };
}

/** One token that is renewed in time. */
export interface AccountToken {
  /** The token with at least a fifth of its life left. Callers that come at the same time share one request. */
  get(): Promise<string>;
  /** It was refused: the next call asks for another. */
  forget(): void;
  /** Whether the next call would ask for another. */
  isOver(): boolean;
}

// Source: upstream renews at 80 % of the life.
const usedShare = 0.8;

/** A token for `account`, first asked for when it is first wanted. `prepare` runs before each request. */
export function createAccountToken(options: {
  readonly client: ClusterClient;
  readonly account: At;
  readonly spec: TokenSpec;
  readonly clock: Clock;
  readonly prepare?: () => Promise<unknown>;
}): AccountToken {
  const { client, account, spec, clock } = options;
  let current: { readonly text: Promise<string>; renewAt: number } | undefined;

  const isOver = (): boolean => current === undefined || clock.monotonic() >= current.renewAt;
  const renew = (): Promise<string> => {
    const request = async (): Promise<string> => {
      await options.prepare?.();
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
      const { status } = (await client.post(serviceAccounts, account, 'token', body)) as TokenAnswer;
      const life = (parseInstant(status.expirationTimestamp) ?? clock.now()) - clock.now();
      asked.renewAt = clock.monotonic() + life * usedShare;
      return status.token;
    };
    const asked = { text: Promise.resolve().then(request), renewAt: Number.POSITIVE_INFINITY }; // one renewal at a time
    asked.text.catch(() => {
      asked.renewAt = 0;
    });
    current = asked;
    return asked.text;
  };
  return {
    get: () => (current === undefined || isOver() ? renew() : current.text),
    forget: () => {
      current = undefined;
    },
    isOver,
  };
}

interface TokenAnswer {
  readonly status: { readonly token: string; readonly expirationTimestamp: string };
}
