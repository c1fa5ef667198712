/**
 * The `hollow` runtime pretends: containers run from their start until they are stopped, nothing is executed, nothing
 * is written to disk. For scale tests and for machines that are no Linux. What it holds dies with its agent.
 */
import { PassThrough } from 'node:stream';
import { once } from 'node:events';
import type { Clock } from '../../../std/clock.ts';
import type { Container, ContainerState, ExecSession, Runtime, Sandbox } from './runtime.ts';
import { RuntimeError, checkContainer, checkSandboxId, containerId } from './runtime.ts';

/** A runtime that pretends, with nothing in it yet. */
export function createHollowRuntime(clock: Clock): Runtime {
  const sandboxes = new Map<string, Sandbox>();
  const containers = new Map<string, Container>();
  const listeners = new Set<(container: Container) => void>();

  const find = (id: string): Container => {
    const container = containers.get(id);
    if (container === undefined) throw new RuntimeError('NotFound', `there is no container ${id}`);
    return container;
  };
  const end = (id: string, exitCode: number): Container => {
    const container = find(id);
    if (container.state.kind !== 'running') return container;
    const { startedAt } = container.state;
    const state: ContainerState = { kind: 'exited', startedAt, finishedAt: clock.now(), exitCode };
    const ended = { ...container, state };
    containers.set(id, ended);
    for (const listener of listeners) listener(ended);
    return ended;
  };
  const remove = (id: string): void => {
    if (!containers.has(id)) return;
    end(id, 137);
    containers.delete(id);
  };
  const removeSandbox = (id: string): void => {
    for (const container of containers.values()) if (container.sandbox === id) remove(container.id);
    sandboxes.delete(id);
  };
  const running = (id: string): void => {
    if (find(id).state.kind !== 'running') throw new RuntimeError('NotRunning', `container ${id} is not running`);
  };

  return {
    name: 'hollow',
    isolation: {
      ids: 'user',
      filesystem: true,
      network: true,
      processes: true,
      limits: true,
      missing: ['containers are pretended: nothing is executed'],
    },
    createSandbox: async (spec) => {
      checkSandboxId(spec.uid);
      const there = sandboxes.get(spec.uid);
      if (there !== undefined) return there;
      const address = spec.network.kind === 'routed' ? { address: spec.network.address } : {};
      const sandbox: Sandbox = { id: spec.uid, spec, ...address, idOffset: 0 };
      sandboxes.set(spec.uid, sandbox);
      return sandbox;
    },
    removeSandbox: async (id) => removeSandbox(id),
    startContainer: async (spec) => {
      checkContainer(spec);
      if (!sandboxes.has(spec.sandbox)) throw new RuntimeError('NotFound', `there is no sandbox ${spec.sandbox}`);
      const id = containerId(spec.sandbox, spec.name, spec.attempt);
      if (containers.has(id)) throw new RuntimeError('AlreadyExists', `container ${id} exists`);
      const { sandbox, name, attempt, image } = spec;
      const state: ContainerState = { kind: 'running', startedAt: clock.now() };
      const container: Container = { id, sandbox, name, attempt, image, state, logPath: '' };
      containers.set(id, container);
      return container;
    },
    stopContainer: async (id) => end(id, 143),
    removeContainer: async (id) => remove(id),
    list: async () => ({ sandboxes: [...sandboxes.values()], containers: [...containers.values()] }),
    onExit: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    wait: (id, signal) =>
      new Promise((resolve, reject) => {
        const container = find(id);
        if (container.state.kind !== 'running') {
          resolve(container);
          return;
        }
        const done = (): void => {
          listeners.delete(onEnd);
          signal.removeEventListener('abort', onAbort);
        };
        const onEnd = (ended: Container): void => {
          if (ended.id !== id) return;
          done();
          resolve(ended);
        };
        const onAbort = (): void => {
          done();
          reject(signal.reason);
        };
        listeners.add(onEnd);
        signal.addEventListener('abort', onAbort);
        if (signal.aborted) onAbort();
      }),
    exec: async (id) => {
      running(id);
      return pretendSession(Promise.resolve(0));
    },
    attach: async (id) => {
      running(id);
      const stop = new AbortController();
      const ended = new Promise<number>((resolve) => {
        const onEnd = (container: Container): void => {
          if (container.id === id) finish();
        };
        const finish = (): void => {
          listeners.delete(onEnd);
          resolve(0);
        };
        listeners.add(onEnd);
        stop.signal.addEventListener('abort', finish);
      });
      return pretendSession(ended, () => stop.abort());
    },
    // eslint-disable-next-line require-yield -- a container that runs nothing writes nothing
    readLogs: async function* (id, options, signal) {
      if (options.follow !== true || find(id).state.kind !== 'running') return;
      const ended = new AbortController();
      const onEnd = (container: Container): void => {
        if (container.id === id) ended.abort();
      };
      listeners.add(onEnd);
      const either = AbortSignal.any([ended.signal, signal]);
      if (!either.aborted) await once(either, 'abort');
      listeners.delete(onEnd);
    },
    dial: async () => {
      throw new RuntimeError('Unsupported', 'nothing listens in a pod that is only pretended');
    },
    usage: async (id) => (find(id).state.kind === 'running' ? { cpuNanoseconds: 0, workingSetBytes: 0 } : undefined),
    prune: async (keep) => {
      for (const id of sandboxes.keys()) if (!keep.has(id)) removeSandbox(id);
    },
    stop: async () => {},
  };
}

function pretendSession(exit: Promise<number>, close = (): void => {}): ExecSession {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.resume();
  void exit.finally(() => {
    stdout.end();
    stderr.end();
  });
  return { stdin, stdout, stderr, exit, resize: () => {}, close };
}
