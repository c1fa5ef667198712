/** A gateway with a node at the end of its tunnel, for tests of what flows through it. Containers are children of the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { startTunnel } from '../../src/core/node/tunnel.ts';
import type { PodFinder } from '../../src/core/node/streams/containers.ts';
import { RuntimeError } from '../../src/core/node/runtimes/runtime.ts';
import type { Container, ExecRequest, ExecSession, LogOptions, Runtime } from '../../src/core/node/runtimes/runtime.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { defaultPolicy as defaultRoles } from '../../src/authz/default-roles-table.ts';
import { createStreams } from '../../src/gateway/streams/streams.ts';
import type { Pod } from '../../src/api/types/core.ts';
import { systemClock } from '../../src/std/clock.ts';
import { silentLogger } from '../../src/std/log.ts';
import type { Running } from '../../src/std/stop.ts';
import { startTestGateway, type TestGateway } from './gateway.ts';

/** What a test sees of the sessions and logs that are open on the node. */
export interface Opened {
  sessions: number;
  logs: number;
  /** Connections to ports. */
  connections: number;
  /** The last size that a session was given. */
  size: string;
}

/** Runs `exec` as a child of this process, without isolation; `attach` echoes; `dial` reaches this machine; each log has `lines` and then stays open. */
export function childRuntime(
  opened: Opened,
  lines: readonly string[],
): Pick<Runtime, 'exec' | 'attach' | 'dial' | 'readLogs'> {
  const track = (session: Omit<ExecSession, 'resize'>): ExecSession => {
    opened.sessions += 1;
    let open = true;
    return {
      ...session,
      resize: (columns, rows) => {
        opened.size = `${columns}x${rows}`;
      },
      close: () => {
        if (open) opened.sessions -= 1;
        open = false;
        session.close();
      },
    };
  };
  return {
    exec: async (_id: string, { command, stdin }: ExecRequest) => {
      const [file = '', ...args] = command;
      const child = spawn(file, args, { stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
      child.stdin?.on('error', () => {});
      const exit = new Promise<number>((resolve) => {
        child.on('error', () => resolve(126));
        child.on('close', (code) => resolve(code ?? 137));
      });
      const { stdout, stderr } = child;
      if (stdout === null || stderr === null) throw new Error('no pipes');
      return track({
        ...(child.stdin === null ? {} : { stdin: child.stdin }),
        stdout,
        stderr,
        exit,
        close: () => void child.kill('SIGKILL'),
      });
    },
    attach: async () => {
      const stdin = new PassThrough();
      const stderr = new PassThrough().end();
      const exit = new Promise<number>((resolve) => stdin.on('end', () => resolve(0)));
      return track({ stdin, stdout: stdin, stderr, exit, close: () => stdin.destroy() });
    },
    dial: async (_sandbox, port) => {
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      try {
        await once(socket, 'connect');
      } catch {
        throw new RuntimeError('Unreachable', `dial tcp 127.0.0.1:${port}: connect: connection refused`);
      }
      opened.connections += 1;
      socket.once('close', () => (opened.connections -= 1));
      return socket;
    },
    readLogs: async function* (_id: string, { tailLines = lines.length, follow }: LogOptions, signal: AbortSignal) {
      opened.logs += 1;
      try {
        for (const line of tailLines === 0 ? [] : lines.slice(-tailLines)) yield Buffer.from(`${line}\n`);
        if (follow === true) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      } finally {
        opened.logs -= 1;
      }
    },
  };
}

export const webPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'uid-of-web' },
  spec: { nodeName: 'node-1', containers: [{ name: 'main' }, { name: 'side' }] },
  status: {
    phase: 'Running',
    containerStatuses: [{ name: 'side', state: { waiting: { reason: 'CrashLoopBackOff' } } }],
  },
};

/** The user `reader` may get exec and its kin of pods, and create none. */
const readersRole = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'reader', uid: 'uid-of-reader' },
    rules: [{ apiGroups: [''], resources: ['pods/exec', 'pods/attach', 'pods/portforward'], verbs: ['get'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'reader', uid: 'uid-of-reader-binding' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'reader' }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
  },
];

export interface StreamsLab {
  readonly at: TestGateway;
  readonly opened: Opened;
  /** Ends the node's end of the tunnel. */
  readonly tunnel: Running;
  /** Connects node-1 anew. */
  dial(): Promise<Running>;
  stop(): Promise<void>;
}

/** Starts a gateway that knows `webPod` and connects its node; container `main` runs, `side` has never started. */
export async function startStreamsLab(lines: readonly string[]): Promise<StreamsLab> {
  const clock = systemClock;
  let at: TestGateway | undefined;
  const streams = createStreams({
    store: { get: async (key, fresh) => at?.store.get(key, fresh) },
    clock,
    log: silentLogger,
  });
  const authorizer = createAuthorizer();
  for (const object of [...defaultRoles, ...readersRole]) authorizer.observe({ kind: 'set', object: { ...object } });
  at = await startTestGateway({ deps: { streams, authorizer }, deadlines: { stopMs: 200 } });
  const { store, gateway, pki } = at;
  for (const [name, nodeName] of [
    ['web', 'node-1'],
    ['far', 'node-2'],
  ] as const) {
    const object = { ...webPod, metadata: { ...webPod.metadata, name }, spec: { ...webPod.spec, nodeName } };
    await store.write({ kind: 'create', key: { resource: 'pods', namespace: 'shop', name }, object }, () => []);
  }
  const opened: Opened = { sessions: 0, logs: 0, connections: 0, size: '' };
  const main: Container = {
    id: 'uid-of-web.main.0',
    sandbox: 'uid-of-web',
    name: 'main',
    attempt: 0,
    image: '',
    state: { kind: 'running', startedAt: 0 },
    logPath: '',
  };
  const agent: PodFinder = {
    find: (namespace, name) => {
      if (namespace !== 'shop' || name !== 'web') return undefined;
      const pod = { ...webPod } as unknown as Pod; // the fields that streams read
      return {
        pod,
        worker: { attempt: (container, previous) => (container === 'main' && !previous ? main : undefined) },
      };
    },
  };
  const identity = await at.issue('system:node:node-1', ['system:nodes']);
  const dial = async (): Promise<Running> => {
    let connected = (): void => {};
    const isConnected = new Promise<void>((resolve) => {
      connected = resolve;
    });
    const tunnel = startTunnel({
      server: gateway.url,
      ca: pki.ca.cert,
      identity: () => identity,
      agent,
      runtime: childRuntime(opened, lines),
      nodeName: 'node-1',
      clock,
      log: { ...silentLogger, info: (message) => (message === 'connected to the gateway' ? connected() : undefined) },
    });
    await isConnected;
    return tunnel;
  };
  const tunnel = await dial();
  const started = at;
  return {
    at: started,
    opened,
    tunnel,
    dial,
    stop: async () => {
      await tunnel.stop();
      await started.stop();
    },
  };
}
