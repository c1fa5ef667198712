/** The same guarantees for an ordinary user: the suite of routed pods on the userspace data plane, once more in a user namespace. */
import { describe, expect, test } from 'vitest';
import { runSuites } from '../../support/as-ordinary-user.ts';
import { needs } from '../../support/needs.ts';

const can = needs(
  'the userspace data plane for an ordinary user',
  ['ip', 'setpriv', 'unshare', 'namespaces'],
  'apt-get install iproute2 util-linux; sysctl user.max_user_namespaces=10000',
);

describe.skipIf(!can)('as an ordinary user', () => {
  test('services are judged in a user namespace as they are for root', { timeout: 300_000 }, async () => {
    const { output, code } = await runSuites(['test/conformance/dataplane/userspace-routed.integration.test.ts']);
    expect(output).toMatch(/Tests {2}\d+ passed/);
    expect(code).toBe(0);
  });
});
