/** The same guarantees for an ordinary user: the suite of the nftables data plane, run once more in a user namespace. */
import { describe, expect, test } from 'vitest';
import { runSuites } from '../../support/as-ordinary-user.ts';
import { needs } from '../../support/needs.ts';

const can = needs(
  'the nftables data plane for an ordinary user',
  ['ip', 'nft', 'conntrack', 'setpriv', 'unshare', 'namespaces'],
  'apt-get install iproute2 nftables conntrack util-linux; sysctl user.max_user_namespaces=10000',
);

// Root has run the whole suite: there, one test shows that the same is to be had in a user namespace.
const only = process.getuid?.() === 0 ? 'ingress is judged by peer and port' : undefined;

describe.skipIf(!can)('as an ordinary user', () => {
  test('what is refused by nftables is refused in a user namespace', { timeout: 300_000 }, async () => {
    const { output, code } = await runSuites(['test/conformance/dataplane/nftables.integration.test.ts'], only);
    expect(output).toMatch(/Tests {2}\d+ passed/);
    expect(code).toBe(0);
  });
});
