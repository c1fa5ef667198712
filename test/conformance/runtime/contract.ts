/** The guarantees of every runtime (src/core/node/runtimes/runtime.ts), held by one suite. */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Duplex, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type {
  ContainerSpec,
  LogOptions,
  Runtime,
  Sandbox,
  SandboxSpec,
} from '../../../src/core/node/runtimes/runtime.ts';

/** A runtime under test. `executes`: it runs programs, so output and exit codes are theirs. */
export interface Subject {
  readonly name: string;
  readonly executes: boolean;
  readonly create: () => Promise<Runtime>;
  /** Environment names that this runtime gives every program beside PATH. */
  readonly ownEnv?: readonly string[];
}

export const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

export function podSpec(changes: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    uid: randomUUID(),
    namespace: 'default',
    name: 'pod',
    hostname: 'pod-host',
    network: { kind: 'none' },
    hosts: '127.0.0.1 localhost\n',
    resolvConf: 'nameserver 10.96.0.10\n',
    ...changes,
  };
}

export function containerSpec(sandbox: Sandbox, script: string, changes: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    sandbox: sandbox.id,
    name: 'main',
    attempt: 0,
    image: 'example/image',
    command: ['/bin/sh', '-c', script],
    args: [],
    env: [],
    mounts: [],
    limits: {},
    ...changes,
  };
}

export async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

export async function logsOf(runtime: Runtime, id: string, options: LogOptions = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of runtime.readLogs(id, options, within(10_000))) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Runs `script` in a pod of its own to its end; returns its exit code (-1: none) and output. */
export async function runScript(
  runtime: Runtime,
  script: string,
  changes: Partial<ContainerSpec> = {},
): Promise<{ code: number; output: string }> {
  const sandbox = await runtime.createSandbox(podSpec());
  try {
    const container = await runtime.startContainer(containerSpec(sandbox, script, changes));
    const { state } = await runtime.wait(container.id, within(20_000));
    return { code: state.kind === 'exited' ? state.exitCode : -1, output: await logsOf(runtime, container.id) };
  } finally {
    await runtime.removeSandbox(sandbox.id);
  }
}

/** Stands for `test` where a guarantee is not asked of a runtime: nothing is skipped that should have run. */
const unasked = (_title: string, _run: () => Promise<void>, _ms?: number): void => {};

export function runtimeContract({ name, executes, create, ownEnv = [] }: Subject): void {
  describe(`runtime ${name}`, () => {
    let runtime: Runtime;
    beforeAll(async () => {
      runtime = await create();
    });
    afterAll(async () => {
      await runtime.prune(new Set());
      await runtime.stop();
    });

    test('a sandbox asked for twice is made once', async () => {
      const spec = podSpec();
      const [first, second] = await Promise.all([runtime.createSandbox(spec), runtime.createSandbox(spec)]);
      expect(second).toEqual(first);
      expect(await runtime.createSandbox(spec)).toEqual(first);
      await runtime.removeSandbox(spec.uid);
    });

    test('a container runs until it is stopped, is told of once, and is gone when removed', async () => {
      const sandbox = await runtime.createSandbox(podSpec());
      const told: string[] = [];
      const off = runtime.onExit((container) => told.push(container.id));
      const { id } = await runtime.startContainer(containerSpec(sandbox, 'trap "exit 0" TERM; sleep 60 & wait'));
      expect((await runtime.list()).containers.find((container) => container.id === id)?.state.kind).toBe('running');
      expect((await runtime.stopContainer(id, 5000)).state.kind).toBe('exited');
      expect((await runtime.wait(id, within(1000))).state.kind).toBe('exited');
      expect(told).toEqual([id]);
      await runtime.removeContainer(id);
      expect((await runtime.list()).containers.filter((container) => container.id === id)).toEqual([]);
      off();
      await runtime.removeSandbox(sandbox.id);
    });

    test('an attempt is never started twice', async () => {
      const sandbox = await runtime.createSandbox(podSpec());
      await runtime.startContainer(containerSpec(sandbox, 'sleep 60'));
      await expect(runtime.startContainer(containerSpec(sandbox, 'sleep 60'))).rejects.toMatchObject({
        reason: 'AlreadyExists',
      });
      await runtime.removeSandbox(sandbox.id);
    });

    test('a container needs a sandbox', async () => {
      const nowhere = { id: randomUUID(), spec: podSpec(), idOffset: 0 };
      await expect(runtime.startContainer(containerSpec(nowhere, 'true'))).rejects.toMatchObject({
        reason: 'NotFound',
      });
    });

    (executes ? unasked : test)('nothing listens where nothing is executed', async () => {
      const sandbox = await runtime.createSandbox(podSpec());
      await expect(runtime.dial(sandbox.id, 80)).rejects.toMatchObject({ reason: 'Unsupported' });
      await runtime.removeSandbox(sandbox.id);
    });

    (executes ? test : unasked)(
      'a port of the sandbox is reached from outside, also what its program says first',
      async () => {
        const sandbox = await runtime.createSandbox(podSpec());
        const port = 20_000 + (process.pid % 10_000);
        await expect(runtime.dial(sandbox.id, port)).rejects.toMatchObject({
          reason: 'Unreachable',
          message: `dial tcp port ${port}: connect: connection refused`,
        });
        const program = `require('net').createServer({ allowHalfOpen: true }, (socket) => { socket.write('welcome '); socket.pipe(socket); }).listen(${port}, '127.0.0.1')`;
        await runtime.startContainer(containerSpec(sandbox, '', { command: [process.execPath, '-e', program] }));
        const dial = (): Promise<Duplex | undefined> => runtime.dial(sandbox.id, port).catch(() => undefined);
        const first = await vi.waitUntil(dial, { timeout: 20_000, interval: 100 });
        const talk = async (connection: Duplex, text: string): Promise<string> => {
          connection.end(text);
          return readAll(connection);
        };
        expect(await talk(first, 'hi')).toBe('welcome hi');
        const many = await Promise.all(Array.from({ length: 20 }, () => runtime.dial(sandbox.id, port)));
        const texts = many.map((_, index) => `${index} `.repeat(20_000));
        const answers = await Promise.all(many.map((connection, index) => talk(connection, texts[index] ?? '')));
        expect(answers.map((answer) => answer.length)).toEqual(texts.map((text) => text.length + 8));
        await runtime.removeSandbox(sandbox.id);
        await expect(runtime.dial(sandbox.id, port)).rejects.toMatchObject({ reason: 'NotFound' });
      },
    );

    test('a mount path that leaves its place is refused', async () => {
      const sandbox = await runtime.createSandbox(podSpec());
      for (const path of ['/', 'data', '/a/../etc', '/a/./b']) {
        const mounts = [{ hostPath: '/usr', path, readOnly: true }];
        await expect(runtime.startContainer(containerSpec(sandbox, 'true', { mounts }))).rejects.toMatchObject({
          reason: 'InvalidContainer',
        });
      }
      await runtime.removeSandbox(sandbox.id);
    });

    test('prune removes the pods that are not kept, and only those', async () => {
      const [kept, left] = [await runtime.createSandbox(podSpec()), await runtime.createSandbox(podSpec())];
      await runtime.startContainer(containerSpec(left, 'sleep 60'));
      await runtime.prune(new Set([kept.id]));
      const { sandboxes, containers } = await runtime.list();
      expect(sandboxes.map(({ id }) => id)).toEqual([kept.id]);
      expect(containers).toEqual([]);
      await runtime.removeSandbox(kept.id);
    });

    test('removing what is not there does nothing', async () => {
      await runtime.removeSandbox(randomUUID());
    });

    if (executes) programs(() => runtime, ownEnv);
  });
}

function programs(subject: () => Runtime, ownEnv: readonly string[]): void {
  test("the exit code is the program's", async () => {
    expect(await runScript(subject(), 'echo out; echo err >&2; exit 3')).toMatchObject({ code: 3 });
  });

  test('a program that ignores TERM is killed after its grace time', async () => {
    const sandbox = await subject().createSandbox(podSpec());
    const { id } = await subject().startContainer(containerSpec(sandbox, 'trap "" TERM; while :; do sleep 1; done'));
    expect((await subject().stopContainer(id, 100)).state).toMatchObject({ kind: 'exited', exitCode: 137 });
    await subject().removeSandbox(sandbox.id);
  });

  test('a file of the node can stand anywhere, and whoever runs may write it', async () => {
    const folder = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-file-`);
    const hostPath = `${folder}/words`;
    writeFileSync(hostPath, '');
    chmodSync(hostPath, 0o666);
    const mounts = [{ hostPath, path: '/dev/termination-log', readOnly: false }];
    const args = ['sh', '/dev/termination-log']; // a word of its own: where nothing can be mounted, that is translated
    const { code } = await runScript(subject(), 'printf "out of tea" >"$1"', { mounts, args });
    expect([code, readFileSync(hostPath, 'utf8')]).toEqual([0, 'out of tea']);
    rmSync(folder, { recursive: true });
  });

  test('an image without a command is refused with what to do', async () => {
    const sandbox = await subject().createSandbox(podSpec());
    await expect(subject().startContainer(containerSpec(sandbox, '', { command: [] }))).rejects.toMatchObject({
      reason: 'ImageWithoutCommand',
      message: expect.stringContaining('set command'),
    });
    await subject().removeSandbox(sandbox.id);
  });

  test('arguments and environment arrive byte for byte', async () => {
    const odd = ['a b', "it's", '$(id)', '`id`', '\\n', 'two\nlines\n', 'ünïcode', '*', '-n', ''];
    const env = [
      { name: 'PLAIN', value: 'q\'"$x\\' },
      { name: 'LINES', value: 'one\ntwo\n' },
      { name: 'dots.and-dashes', value: 'v w' },
      { name: 'IFS', value: 'x' },
    ];
    const script = 'process.stdout.write(JSON.stringify([process.argv.slice(1), process.env]))';
    const { output } = await runScript(subject(), '', {
      command: [process.execPath, '-e', script, '--'],
      args: odd,
      env,
    });
    const [args, seen] = JSON.parse(output) as [string[], Record<string, string>];
    expect(args).toEqual(odd);
    expect(seen).toEqual({
      PATH: expect.any(String),
      ...Object.fromEntries(ownEnv.map((name) => [name, expect.any(String)])),
      ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
    });
  });

  test('logs: the last lines, since a time, up to a size, with times, followed to the end', async () => {
    const sandbox = await subject().createSandbox(podSpec());
    const { id } = await subject().startContainer(
      containerSpec(sandbox, 'for i in 1 2 3; do echo line $i; done; sleep 0.3; printf end'),
    );
    expect(await logsOf(subject(), id, { follow: true })).toBe('line 1\nline 2\nline 3\nend');
    expect(await logsOf(subject(), id, { tailLines: 2 })).toBe('line 3\nend');
    expect(await logsOf(subject(), id, { limitBytes: 8 })).toBe('line 1\nl');
    expect(await logsOf(subject(), id, { sinceTime: Date.parse('2100-01-01') })).toBe('');
    expect(await logsOf(subject(), id, { tailLines: 1, timestamps: true })).toMatch(/^\d{4}-.*Z end$/);
    await subject().removeSandbox(sandbox.id);
  });

  test('exec runs beside the program, with its own streams and exit code', async () => {
    const sandbox = await subject().createSandbox(podSpec());
    const env = [{ name: 'WHO', value: 'me' }];
    const { id } = await subject().startContainer(containerSpec(sandbox, 'sleep 60', { env }));
    const session = await subject().exec(id, {
      command: ['sh', '-c', 'cat; echo $WHO >&2; exit 7'],
      stdin: true,
      tty: false,
    });
    session.stdin?.end('typed');
    expect(await Promise.all([readAll(session.stdout), readAll(session.stderr), session.exit])).toEqual([
      'typed',
      'me\n',
      7,
    ]);
    await subject().removeSandbox(sandbox.id);
  });

  test('exec with a tty has a terminal, of the size that was set', async () => {
    const sandbox = await subject().createSandbox(podSpec());
    const { id } = await subject().startContainer(containerSpec(sandbox, 'sleep 60'));
    const session = await subject().exec(id, {
      command: ['sh', '-c', 'test -t 0 && for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; stty size; done; exit 5'],
      stdin: true,
      tty: true,
    });
    session.resize(101, 33);
    const [output, code] = await Promise.all([readAll(session.stdout), session.exit]);
    expect(output).toContain('33 101');
    expect(code).toBe(5);
    await subject().removeSandbox(sandbox.id);
  });

  test('closing an exec session ends its program', async () => {
    const sandbox = await subject().createSandbox(podSpec());
    const { id } = await subject().startContainer(containerSpec(sandbox, 'sleep 60'));
    const session = await subject().exec(id, {
      command: ['sh', '-c', 'echo up; sleep 4711'],
      stdin: false,
      tty: false,
    });
    await new Promise((resolve) => session.stdout.once('data', resolve));
    session.close();
    await session.exit;
    const look = await subject().exec(id, {
      command: ['sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'],
      stdin: false,
      tty: false,
    });
    expect(await readAll(look.stdout)).not.toContain('sleep 4711 ');
    await subject().removeSandbox(sandbox.id);
  });

  test('attach passes input on and shows output from then on', async () => {
    const sandbox = await subject().createSandbox(podSpec());
    const { id } = await subject().startContainer(containerSpec(sandbox, 'read line; echo got $line', { stdin: true }));
    const session = await subject().attach(id, { stdin: true, tty: false });
    session.stdin?.write('hello\n');
    expect(await readAll(session.stdout)).toBe('got hello\n');
    await subject().removeSandbox(sandbox.id);
  });
}
