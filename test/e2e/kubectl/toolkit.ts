/** What a check of kubectl is given: kubectl itself in a namespace of the group, claims about what it says, and manifests to send. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../../../src/std/clock.ts';
import { run } from '../support/up.ts';

/** Where checks run: by which kubectl, whose kubeconfig, and a folder for files. */
export interface Place {
  readonly kubectl: string;
  readonly kubeconfig: string;
  readonly scratch: string;
}

interface Said {
  readonly code: number | 'timeout';
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Arguments of kubectl; the last may be options of the run. */
type Args = readonly (string | RunOptions)[];

/** A finding of a check. */
class Failed extends Error {}

const clock = systemClock;
let counter = 0;

/** The helpers for one namespace. Nothing here waits without a deadline. */
// eslint-disable-next-line typescript/explicit-module-boundary-types -- one literal, written for scripts; its type would say it twice
export function toolkit(place: Place, ns: string) {
  const env = { KUBECONFIG: place.kubeconfig, KUBECACHEDIR: join(place.scratch, 'cache') };
  const unique = (prefix = 'x'): string => `${prefix}-${process.pid.toString(36)}-${(counter++).toString(36)}`;
  const show = ({ code, out, err }: Said): string =>
    `exit ${code}; out: ${out.slice(0, 400)}; err: ${err.slice(0, 400)}`;
  const fail = (message: string): never => {
    throw new Failed(message);
  };
  const t = {
    ns,
    unique,
    scratch: place.scratch,
    /** The kubectl of the checks. */
    program: place.kubectl,
    fail,
    /** The same helpers in another namespace. */
    at: (other: string) => toolkit(place, other),
    /** Runs kubectl once; a code other than 0 is an answer. */
    async kubectl(args: readonly string[], options: RunOptions = {}): Promise<Said> {
      const ended = await run(place.kubectl, args, {
        env: { ...env, ...options.env },
        ms: options.timeoutMs ?? 30_000,
        ...(options.stdin === undefined ? {} : { input: options.stdin }),
      });
      return { code: ended.code ?? 'timeout', out: ended.stdout, err: ended.stderr };
    },
    /** Runs another program beside kubectl, with the kubeconfig in its environment. */
    run: (program: string, args: readonly string[]) => run(program, args, { env, ms: 30_000 }),
    /** Starts a kubectl that stays (`get -w`); `stop` ends it. */
    kubectlStart(args: readonly string[]) {
      const child = spawn(place.kubectl, args, { env: { ...process.env, ...env } });
      const state: { out: string; err: string; code: number | string | undefined } = {
        out: '',
        err: '',
        code: undefined,
      };
      child.stdout.on('data', (bytes: Buffer) => (state.out += bytes.toString()));
      child.stderr.on('data', (bytes: Buffer) => (state.err += bytes.toString()));
      child.on('exit', (code) => (state.code = code ?? 'signal'));
      return { state, stdin: child.stdin, stop: () => child.kill('SIGTERM') };
    },
    assert(condition: unknown, message: string): void {
      if (!isTruthy(condition)) fail(message);
    },
    equal(actual: unknown, expected: unknown, what = 'value'): void {
      const [a, b] = [actual, expected].map((value) => JSON.stringify(value));
      if (a !== b && !isDeepStrictEqual(actual, expected)) fail(`${what}: wanted ${b}, got ${a}`);
    },
    match(text: unknown, pattern: RegExp, what = 'text'): void {
      if (!pattern.test(String(text))) fail(`${what} does not match ${pattern}: ${String(text).slice(0, 500)}`);
    },
    /** kubectl in the namespace, which must exit 0; its output. */
    async ok(...args: Args): Promise<string> {
      const [words, options] = split(args);
      const said = await t.kubectl(['-n', ns, ...words], options);
      if (said.code !== 0) fail(`kubectl ${words.join(' ')}: ${show(said)}`);
      return said.out;
    },
    /** kubectl in the namespace, which must fail and say what `pattern` matches. */
    async refused(pattern: RegExp, ...args: Args): Promise<Said> {
      const [words, options] = split(args);
      const said = await t.kubectl(['-n', ns, ...words], options);
      if (said.code === 0) fail(`kubectl ${words.join(' ')} was accepted: ${show(said)}`);
      if (!pattern.test(said.err + said.out))
        fail(`kubectl ${words.join(' ')}: refusal does not match ${pattern}: ${show(said)}`);
      return said;
    },
    /** `kubectl … -o json`, parsed. */
    json: async (...args: readonly string[]): Promise<unknown> => JSON.parse(await t.ok(...args, '-o', 'json')),
    apply: (...items: readonly object[]): Promise<string> =>
      t.ok('apply', '-f', '-', { stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) }),
    create: (object: object): Promise<string> => t.ok('create', '-f', '-', { stdin: JSON.stringify(object) }),
    raw: (path: string): Promise<string> => t.ok('get', '--raw', path),
    file(name: string, text: string): string {
      const path = join(place.scratch, `${unique('f')}-${name}`);
      writeFileSync(path, text);
      return path;
    },
    /** Asks `probe` until it gives something truthy. What it throws counts as not yet. */
    async until<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 30_000): Promise<T> {
      const end = clock.monotonic() + timeoutMs;
      let last: unknown;
      while (clock.monotonic() < end) {
        try {
          const value = await probe();
          if (isTruthy(value)) return value;
          last = value;
        } catch (error) {
          last = error instanceof Error ? error.message : error;
        }
        await clock.sleep(250);
      }
      throw new Failed(`waited ${timeoutMs} ms for ${what}; last: ${(JSON.stringify(last) ?? '').slice(0, 300)}`);
    },
    sleep: (ms: number): Promise<void> => clock.sleep(ms),
    /** A container that runs as a program of the host and in an image alike. */
    container: (script = 'sleep 3600', extra: object = {}) => ({
      name: 'main',
      image: 'busybox',
      command: ['/bin/sh', '-c', script],
      ...extra,
    }),
    pod: (name: string, script?: string, extra: Extra = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...extra.metadata },
      spec: { terminationGracePeriodSeconds: 1, containers: [t.container(script, extra.container)], ...extra.spec },
    }),
    deployment: (name: string, replicas: number, extra: Extra = {}) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, ...extra.metadata },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { terminationGracePeriodSeconds: 1, containers: [t.container(extra.script, extra.container)] },
        },
        ...extra.spec,
      },
    }),
  };
  return t;
}

interface Extra {
  readonly metadata?: object;
  readonly spec?: object;
  readonly container?: object;
  readonly script?: string;
}

function split(args: Args): readonly [readonly string[], RunOptions] {
  const words = args.filter((one) => typeof one === 'string');
  const options = args.find((one) => typeof one !== 'string');
  return [words, options ?? {}];
}

/** What a script means by yes: anything but nothing, no, zero and the empty text. */
function isTruthy(value: unknown): boolean {
  return !([undefined, null, false, 0, ''] as readonly unknown[]).includes(value);
}
