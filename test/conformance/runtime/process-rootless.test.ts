/** The same guarantees for an ordinary user: the suites of the process runtime, run once more in a user namespace. */
import { describe, expect, test } from 'vitest';
import { runSuites } from '../../support/as-ordinary-user.ts';
import { needs } from '../../support/needs.ts';

const can = needs(
  'the process runtime for an ordinary user',
  ['ip', 'setpriv', 'unshare', 'namespaces'],
  'apt-get install iproute2 util-linux; sysctl user.max_user_namespaces=10000',
);

describe.skipIf(!can)('as an ordinary user', () => {
  test('the contract, the attacks and re-adoption hold in a user namespace', { timeout: 300_000 }, async () => {
    const suites = ['root', 'isolation', 'adoption'].map((name) => `test/conformance/runtime/process-${name}.test.ts`);
    const { output, code } = await runSuites(suites);
    expect(output).toMatch(/Tests {2}\d+ passed \(\d+\)/);
    expect(code).toBe(0);
  });
});
