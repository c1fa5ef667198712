import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { netpolCommand } from '../../src/cli/netpol.ts';

test('netpol eval -o json prints one result per case, with its probes and steps in their order', async () => {
  const lines: string[] = [];
  const file = resolve(import.meta.dirname, '../conformance/netpolicy/netpol.json');
  await netpolCommand((line) => lines.push(line)).parseAsync(['eval', '-f', file, '-o', 'json'], { from: 'user' });
  const results = JSON.parse(lines.join('\n')) as readonly { name: string; probes: unknown[]; steps: unknown[] }[];
  const found = results.find(({ name }) => name === 'change-policy-removed');
  expect([found?.probes.length, found?.steps.length]).toEqual([6, 2]);
});
