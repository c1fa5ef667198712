import { expect, test } from 'vitest';
import { StatusError, toStatus } from '../../../src/api/status.ts';
import { createAccountToken } from '../../../src/core/cluster/account-token.ts';
import type { AccountToken } from '../../../src/core/cluster/account-token.ts';
import { createClient } from '../../../src/core/cluster/client.ts';
import { ignoring } from '../../../src/core/cluster/ignoring.ts';
import { rfc3339 } from '../../../src/std/clock.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import type { FakeClock } from '../../support/fake-clock.ts';

/** A server that numbers the tokens it gives, each good for 100 s. */
function tokens(): { token: AccountToken; clock: FakeClock; refuse: (yes: boolean) => void } {
  const clock = fakeClock();
  let given = 0;
  let refused = false;
  const client = createClient({
    server: 'https://gateway',
    userAgent: 'test',
    fetch: async () => {
      if (refused) return new Response(JSON.stringify(toStatus(new StatusError('Forbidden', 'no'))), { status: 403 });
      given += 1;
      const status = { token: `token-${given}`, expirationTimestamp: rfc3339(clock.now() + 100_000) };
      return new Response(JSON.stringify({ status }));
    },
  });
  const account = { namespace: 'kube-system', name: 'x' };
  const token = createAccountToken({ client, clock, account, spec: { audiences: [], expirationSeconds: 100 } });
  return { token, clock, refuse: (yes) => (refused = yes) };
}

test('a token is kept for 80 % of its life and then renewed', async () => {
  const { token, clock } = tokens();
  expect(await token.get()).toBe('token-1');
  await clock.advance(79_000);
  expect(await token.get()).toBe('token-1');
  await clock.advance(1_000);
  expect(token.isOver()).toBe(true);
  expect(await token.get()).toBe('token-2');
});

test('callers that come together share one request', async () => {
  const { token } = tokens();
  expect(await Promise.all([token.get(), token.get()])).toEqual(['token-1', 'token-1']);
});

test('a request that fails, and a token that was refused, are followed by another request', async () => {
  const { token, refuse } = tokens();
  refuse(true);
  await expect(token.get()).rejects.toMatchObject({ reason: 'Forbidden' });
  refuse(false);
  expect(await token.get()).toBe('token-1');
  token.forget();
  expect(await token.get()).toBe('token-2');
});

test('only the reasons that were named count as done', async () => {
  const fail = (reason: 'NotFound' | 'Conflict') => (): Promise<string> => Promise.reject(new StatusError(reason, ''));
  expect(await ignoring(['NotFound'], async () => 'answer')).toBe('answer');
  expect(await ignoring(['NotFound'], fail('NotFound'))).toBeUndefined();
  await expect(ignoring(['NotFound'], fail('Conflict'))).rejects.toMatchObject({ reason: 'Conflict' });
});
