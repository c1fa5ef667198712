import { expect, test } from 'vitest';
import { podStatus } from '../../../src/core/node/pod-status.ts';
import { exits, now, podOf, viewOf } from './pod-view.ts';

const backoff = { started: false, ready: false, backoff: { until: now + 10_000, ms: 10_000 } };

test.for([
  {
    guarantees: 'a failure that will be tried again waits in CrashLoopBackOff',
    exitCode: 3,
    shows: 'CrashLoopBackOff',
  },
  { guarantees: 'a success that ends the pod shows its end, whatever failed before', exitCode: 0, shows: 'Completed' },
])('$guarantees', ({ exitCode, shows }) => {
  const view = viewOf(podOf({ restartPolicy: 'OnFailure' }), { main: [exits(3), exits(exitCode)] }, { main: backoff });
  const { state } = podStatus(view, { now, hostAddress: '192.0.2.1', runtime: 'test' }).containerStatuses?.[0] ?? {};
  expect(state?.waiting?.reason ?? state?.terminated?.reason).toBe(shows);
});
