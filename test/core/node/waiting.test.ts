import { expect, test } from 'vitest';
import { toTable } from '../../../src/api/schema/columns.ts';
import type { Pod } from '../../../src/api/types/core.ts';
import { podStatus } from '../../../src/core/node/pod-status.ts';
import type { PodView } from '../../../src/core/node/pod-view.ts';
import { RuntimeError } from '../../../src/core/node/runtimes/runtime.ts';
import type { RuntimeReason } from '../../../src/core/node/runtimes/runtime.ts';
import { waitingReason } from '../../../src/core/node/waiting.ts';
import { exits, main, now, podOf, runs, viewOf } from './pod-view.ts';

/** What `kubectl get pods` shows for the status that `view` adds up to. */
function shown(view: PodView): unknown {
  const status = podStatus(view, { now, hostAddress: '192.0.2.1', runtime: 'test' });
  const options = { includeObject: 'None', now, metadata: {} } as const;
  const { columnDefinitions, rows } = toTable({ group: '', resource: 'pods' }, [{ ...view.pod, status }], options);
  return rows[0]?.cells[columnDefinitions.findIndex(({ name }) => name === 'Status')];
}

const failing = (reason: RuntimeReason, pod: Pod = podOf()): PodView => {
  const error = new RuntimeError(reason, 'why');
  const failure = { reason: waitingReason(error), message: error.message };
  return viewOf(pod, {}, { main: { failure, backoff: { ms: 10_000, until: now + 10_000 } } });
};
const restarting = { backoff: { ms: 10_000, until: now + 10_000 } };
const prepared = podOf({ initContainers: [{ ...main, name: 'first' }] });

test.for<readonly [string, string, PodView]>([
  ['nothing has started', 'ContainerCreating', viewOf(podOf())],
  ['nothing has started, and there is more to prepare', 'Init:0/1', viewOf(prepared)],
  ['a volume is missing', 'ContainerCreating', { ...viewOf(podOf()), trouble: { reason: 'x', message: 'why' } }],
  ['a volume is missing before all', 'Init:0/1', { ...viewOf(prepared), trouble: { reason: 'x', message: 'why' } }],
  ['a key of its environment is missing', 'CreateContainerConfigError', failing('CreateContainerConfigError')],
  ['it could not be started', 'RunContainerError', failing('StartFailed')],
  ['what it asks for is not to be had', 'CreateContainerError', failing('Unsupported')],
  ['what it asks for cannot be', 'CreateContainerError', failing('InvalidContainer')],
  ['its image says nothing to run', 'ImageWithoutCommand', failing('ImageWithoutCommand')],
  ['it failed and waits', 'CrashLoopBackOff', viewOf(podOf(), { main: exits(1) }, { main: restarting })],
  [
    'what comes first failed and waits',
    'Init:CrashLoopBackOff',
    viewOf(prepared, { first: exits(1) }, { first: restarting }),
  ],
  ['it runs', 'Running', viewOf(podOf(), { main: runs })],
])('kubectl get pods, when %s: %s', ([, status, view]) => {
  expect(shown(view)).toBe(status);
});
