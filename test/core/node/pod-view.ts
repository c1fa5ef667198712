/** Views of one valid pod, for tables that change one thing. */
import type { Container as ContainerSpec, Pod } from '../../../src/api/types/core.ts';
import type { ContainerMemory, PodView } from '../../../src/core/node/pod-view.ts';
import type { Container, ContainerState } from '../../../src/core/node/runtimes/runtime.ts';

export const now = Date.parse('2026-01-01T00:10:00Z');

export const main: ContainerSpec = { name: 'main', image: 'img', command: ['/bin/sh'] };

export function podOf(spec: Partial<Pod['spec']> = {}, more: Partial<Pod> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'u1' },
    spec: { containers: [main], ...spec },
    ...more,
  };
}

export const runs: ContainerState = { kind: 'running', startedAt: now - 60_000 };
export const exits = (exitCode: number): ContainerState => ({
  kind: 'exited',
  startedAt: now - 60_000,
  finishedAt: now,
  exitCode,
});

export function viewOf(
  pod: Pod,
  states: Readonly<Record<string, ContainerState | readonly ContainerState[]>> = {},
  memory: Readonly<Record<string, ContainerMemory>> = {},
): PodView {
  const attempts = Object.entries(states).map(([name, list]): [string, Container[]] => [
    name,
    (Array.isArray(list) ? (list as readonly ContainerState[]) : [list as ContainerState]).map((state, attempt) => ({
      id: `u1.${name}.${attempt}`,
      sandbox: 'u1',
      name,
      attempt,
      image: 'img',
      state,
      logPath: '',
    })),
  ]);
  return {
    pod,
    address: '10.0.0.2',
    hasSandbox: true,
    attempts: new Map(attempts),
    memory: new Map(Object.entries(memory)),
    words: new Map(),
    trouble: undefined,
  };
}
