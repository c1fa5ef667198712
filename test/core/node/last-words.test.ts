import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLastWords } from '../../../src/core/node/last-words.ts';
import type { LastWords } from '../../../src/core/node/last-words.ts';
import { podStatus } from '../../../src/core/node/pod-status.ts';
import type { Container } from '../../../src/core/node/runtimes/runtime.ts';
import { exits, main, now, podOf, viewOf } from './pod-view.ts';

let folder: string;
let log = '';
let words: LastWords;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-words-'));
  log = '';
  words = createLastWords('u1', join(folder, 'words'), {
    readLogs: async function* (_id, { tailLines = 0 }) {
      const lines = log.split('\n').slice(-tailLines);
      for (const line of lines) yield Buffer.from(`${line}\n`);
    },
  });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ended = (exitCode: number): Container => ({
  id: 'u1.main.0',
  sandbox: 'u1',
  name: 'main',
  attempt: 0,
  image: 'img',
  state: exits(exitCode),
  logPath: '',
});
const pod = podOf({ containers: [{ ...main, terminationMessagePolicy: 'FallbackToLogsOnError' }] });

interface Row {
  readonly guarantees: string;
  readonly file?: string;
  readonly log?: string;
  readonly exitCode?: number;
  readonly said: string | undefined;
}

test.for<Row>([
  { guarantees: 'what was written to the file is the message', file: 'out of tea', said: 'out of tea' },
  { guarantees: 'nothing written is no message', said: undefined },
  { guarantees: 'of a long file the last 4096 bytes', file: `x${'y'.repeat(4096)}`, said: 'y'.repeat(4096) },
  { guarantees: 'after a failure without a file the log', log: 'last line', exitCode: 1, said: 'last line\n' },
  { guarantees: 'after a success never the log', log: 'last line', exitCode: 0, said: undefined },
  { guarantees: 'the file before the log', file: 'f', log: 'last line', exitCode: 1, said: 'f' },
  {
    guarantees: 'of a log its last 80 lines',
    log: Array.from({ length: 100 }, (_, i) => `${i}`).join('\n'),
    exitCode: 1,
    said: Array.from({ length: 80 }, (_, i) => `${i + 20}\n`).join(''),
  },
  { guarantees: 'of long lines 2048 bytes', log: 'z'.repeat(9000), exitCode: 1, said: `${'z'.repeat(2047)}\n` },
])('$guarantees', async ({ file, log: written, exitCode = 0, said }) => {
  const path = await words.prepare('main', 0);
  if (file !== undefined) await writeFile(path, file);
  if (written !== undefined) log = written;
  await words.hear(pod, [ended(exitCode)]);
  expect(words.said.get('u1.main.0')).toBe(said);
});

test('the containers of a pod share 12 KiB', async () => {
  const names = ['main', 'b', 'c', 'd'];
  const many = podOf({ containers: names.map((name) => ({ ...main, name })) });
  await writeFile(await words.prepare('main', 0), 'x'.repeat(5000));
  await words.hear(many, [ended(0)]);
  expect(words.said.get('u1.main.0')?.length).toBe(3072);
});

test('a log is not asked for unless the policy says so', async () => {
  log = 'secret';
  await words.hear(podOf(), [ended(1)]);
  expect(words.said.size).toBe(0);
});

test('an attempt that is forgotten leaves nothing', async () => {
  await writeFile(await words.prepare('main', 0), 'x');
  await words.hear(pod, [ended(0)]);
  await words.forget(ended(0));
  expect([words.said.size, await readdir(join(folder, 'words'))]).toEqual([0, []]);
});

test('the message stands in the terminated state', () => {
  const view = {
    ...viewOf(podOf({ restartPolicy: 'Never' }), { main: exits(2) }),
    words: new Map([['u1.main.0', 'w']]),
  };
  const { containerStatuses } = podStatus(view, { now, hostAddress: '192.0.2.1', runtime: 'test' });
  expect(containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 2, message: 'w' });
});
