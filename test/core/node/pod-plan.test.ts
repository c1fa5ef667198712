import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../../../src/api/types/core.ts';
import { nextBackoff, planPod } from '../../../src/core/node/pod-plan.ts';
import type { ContainerMemory } from '../../../src/core/node/pod-view.ts';
import { podStatus } from '../../../src/core/node/pod-status.ts';
import type { ContainerState } from '../../../src/core/node/runtimes/runtime.ts';
import { exits, main, now, podOf, runs, viewOf } from './pod-view.ts';

const init = (name: string, more: Partial<Container> = {}): Container => ({ ...main, name, ...more });
const sidecar = (more: Partial<Container> = {}): Container => init('side', { restartPolicy: 'Always', ...more });
const startedAt = '2026-01-01T00:09:00Z';

interface Row {
  readonly guarantees: string;
  readonly spec?: Partial<Pod['spec']>;
  readonly more?: Partial<Pod>;
  readonly states?: Readonly<Record<string, ContainerState | readonly ContainerState[]>>;
  readonly memory?: Readonly<Record<string, ContainerMemory>>;
  readonly start?: readonly string[];
  readonly stop?: readonly string[];
  readonly over?: boolean;
  readonly lookAt?: number;
  readonly phase: string;
}

const context = { now, hostAddress: '192.0.2.1', runtime: 'hollow' };

describe('what a pod does next, and what it is said to be', () => {
  test.for<Row>([
    { guarantees: 'a new pod starts its container', start: ['main 0'], phase: 'Pending' },
    { guarantees: 'a running container is left alone', states: { main: runs }, phase: 'Running' },
    { guarantees: 'Always restarts a success', states: { main: exits(0) }, start: ['main 1'], phase: 'Running' },
    {
      guarantees: 'OnFailure ends with a success',
      spec: { restartPolicy: 'OnFailure' },
      states: { main: exits(0) },
      over: true,
      phase: 'Succeeded',
    },
    {
      guarantees: 'OnFailure restarts a failure',
      spec: { restartPolicy: 'OnFailure' },
      states: { main: exits(3) },
      start: ['main 1'],
      phase: 'Running',
    },
    {
      guarantees: 'Never ends with a failure',
      spec: { restartPolicy: 'Never' },
      states: { main: exits(7) },
      over: true,
      phase: 'Failed',
    },
    {
      guarantees: 'a restart waits for its back-off',
      states: { main: exits(1) },
      memory: { main: { backoff: { ms: 10_000, until: now + 10_000 } } },
      lookAt: now + 10_000,
      phase: 'Running',
    },
    {
      guarantees: 'init containers run one after another',
      spec: { initContainers: [init('a'), init('b')] },
      states: { a: exits(0) },
      start: ['b 0'],
      phase: 'Pending',
    },
    {
      guarantees: 'the main container waits for a running init container',
      spec: { initContainers: [init('a')] },
      states: { a: runs },
      phase: 'Pending',
    },
    {
      guarantees: 'a failed init container is tried again with Always',
      spec: { initContainers: [init('a')] },
      states: { a: exits(1) },
      start: ['a 1'],
      phase: 'Pending',
    },
    {
      guarantees: 'a failed init container fails the pod with Never',
      spec: { restartPolicy: 'Never', initContainers: [init('a')] },
      states: { a: exits(9) },
      over: true,
      phase: 'Failed',
    },
    {
      guarantees: 'a sidecar lets the main container begin once it has started',
      spec: { initContainers: [sidecar()] },
      states: { side: runs },
      start: ['main 0'],
      phase: 'Pending',
    },
    {
      guarantees: 'a sidecar with a startup probe holds the others back until it passes',
      spec: { initContainers: [sidecar({ startupProbe: {} })] },
      states: { side: runs },
      phase: 'Pending',
    },
    {
      guarantees: 'a sidecar that crashed later is restarted and holds nobody back',
      spec: { initContainers: [sidecar()] },
      states: { side: exits(1), main: exits(1) },
      start: ['side 1', 'main 1'],
      phase: 'Running',
    },
    {
      guarantees: 'sidecars are stopped when the main container is done',
      spec: { restartPolicy: 'Never', initContainers: [sidecar()] },
      states: { side: runs, main: exits(0) },
      stop: ['u1.side.0'],
      over: true,
      phase: 'Succeeded',
    },
    {
      guarantees: 'a pod that was over is never started again, though the runtime forgot it',
      more: { status: { phase: 'Succeeded' } },
      over: true,
      phase: 'Succeeded',
    },
    {
      guarantees: 'restart counts go on after a reboot',
      more: {
        status: {
          containerStatuses: [
            { name: 'main', ready: false, restartCount: 4, image: '', imageID: '', containerID: 'x://y' },
          ],
        },
      },
      start: ['main 5'],
      phase: 'Pending',
    },
    {
      guarantees: 'a pod past its activeDeadlineSeconds is stopped and failed',
      spec: { activeDeadlineSeconds: 60 },
      more: { status: { startTime: startedAt } },
      states: { main: runs },
      stop: ['u1.main.0'],
      over: true,
      phase: 'Failed',
    },
    {
      guarantees: 'the deadline is looked at when it comes',
      spec: { activeDeadlineSeconds: 90 },
      more: { status: { startTime: startedAt } },
      states: { main: runs },
      lookAt: now + 30_000,
      phase: 'Running',
    },
    {
      guarantees: 'a pod that is being deleted restarts nothing and ends in a final phase',
      more: { metadata: { name: 'p', namespace: 'default', uid: 'u1', deletionTimestamp: startedAt } },
      states: { main: exits(143) },
      over: true,
      phase: 'Failed',
    },
  ])('$guarantees', ({ spec, more, states, memory, start = [], stop = [], over = false, lookAt, phase }) => {
    const view = viewOf(podOf(spec, more), states, memory);
    const plan = planPod(view, now);
    expect(plan.start.map(({ container, attempt }) => `${container.name} ${attempt}`)).toEqual(start);
    expect([plan.stop, plan.over, plan.lookAt]).toEqual([stop, over, lookAt]);
    expect(podStatus(view, context).phase).toBe(phase);
  });

  test('back-off goes from 10 s by doubling to 300 s', () => {
    const waits: number[] = [];
    for (let ms: number | undefined; waits.length < 7; waits.push(ms)) ms = nextBackoff(ms);
    expect(waits.map((ms) => ms / 1000)).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });
});

describe('status', () => {
  const conditionOf = (view: Parameters<typeof podStatus>[0], type: string): string => {
    const found = podStatus(view, context).conditions?.find((each) => each.type === type);
    return `${found?.status} ${found?.reason ?? '-'}`;
  };

  test('CrashLoopBackOff says how long, and shows how it ended', () => {
    const view = viewOf(podOf(), { main: exits(4) }, { main: { backoff: { ms: 80_000, until: now + 1 } } });
    const [status] = podStatus(view, context).containerStatuses ?? [];
    expect(status?.state?.waiting?.reason).toBe('CrashLoopBackOff');
    expect(status?.state?.waiting?.message).toMatch(
      /^back-off 1m20s restarting failed container=main pod=p_default\(u1\)$/,
    );
    expect(status?.lastState?.terminated?.exitCode).toBe(4);
  });

  test('a readiness probe, then a readiness gate, decide Ready', () => {
    const pod = podOf({ containers: [{ ...main, readinessProbe: {} }], readinessGates: [{ conditionType: 'x/y' }] });
    expect(conditionOf(viewOf(pod, { main: runs }), 'Ready')).toBe('False ContainersNotReady');
    const ready = viewOf(pod, { main: runs }, { main: { ready: true } });
    expect([conditionOf(ready, 'ContainersReady'), conditionOf(ready, 'Ready')]).toEqual([
      'True -',
      'False ReadinessGatesNotReady',
    ]);
    const open = { ...pod, status: { conditions: [{ type: 'x/y', status: 'True' as const }] } };
    expect(conditionOf(viewOf(open, { main: runs }, { main: { ready: true } }), 'Ready')).toBe('True -');
  });

  test('a startup probe gates started and ready', () => {
    const pod = podOf({ containers: [{ ...main, startupProbe: {} }] });
    const at = (memory: ContainerMemory): readonly unknown[] => {
      const [status] = podStatus(viewOf(pod, { main: runs }, { main: memory }), context).containerStatuses ?? [];
      return [status?.started, status?.ready];
    };
    expect([at({}), at({ started: true })]).toEqual([
      [false, false],
      [true, true],
    ]);
  });

  test('the end of a deadline is told as DeadlineExceeded', () => {
    const pod = podOf({ activeDeadlineSeconds: 1 }, { status: { startTime: startedAt } });
    expect(podStatus(viewOf(pod, { main: exits(143) }), context).reason).toBe('DeadlineExceeded');
  });

  test('the same view at another time gives the same status: transition times stay', () => {
    const view = viewOf(podOf(), { main: runs });
    const first = podStatus(view, context);
    const again = viewOf({ ...view.pod, status: first }, { main: runs });
    expect(podStatus(again, { ...context, now: now + 60_000 })).toEqual(first);
  });
});
