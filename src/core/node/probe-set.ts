/** The probes of one pod's containers: begun when a container starts, ended when it ends. */
import type { Container as ContainerSpec, Probe } from '../../api/types/core.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { EventRecorder } from '../cluster/events.ts';
import type { ContainerMemory, PodView } from './pod-view.ts';
import { isSidecar, isStarted, lastAttempt } from './pod-view.ts';
import { runProbe } from './probes.ts';
import type { ProbeKind } from './probes.ts';
import { runToEnd } from './run-to-end.ts';
import type { Runtime } from './runtimes/runtime.ts';

export interface ProbeSet {
  /** Starts the probes that `view` asks for and that do not run yet. */
  follow(view: PodView): void;
  /** Ends the probes of one container. */
  stop(container: string): void;
  stopAll(): void;
}

export interface ProbeSetDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: EventRecorder;
  readonly changed: (container: string, change: Pick<ContainerMemory, 'started' | 'ready'>) => void;
  /** Its startup or liveness probe failed for good. */
  readonly unhealthy: (container: ContainerSpec, kind: ProbeKind) => void;
}

export function createProbeSet({ runtime, clock, recorder, changed, unhealthy }: ProbeSetDeps): ProbeSet {
  // By container: which attempt is probed, which kinds run.
  const running = new Map<
    string,
    { readonly id: string; readonly kinds: Set<ProbeKind>; readonly end: AbortController }
  >();

  const stop = (name: string): void => {
    running.get(name)?.end.abort();
    running.delete(name);
  };
  const begin = (
    kind: ProbeKind,
    probe: Probe,
    container: ContainerSpec,
    view: PodView,
    signal: AbortSignal,
    id: string,
  ): void => {
    const target = {
      container,
      address: view.address ?? '127.0.0.1',
      exec: (command: readonly string[], limit: AbortSignal) => runToEnd(runtime, id, command, limit),
    };
    const title = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
    const passed = new AbortController(); // a container starts once
    const report = (ok: boolean): void => {
      if (kind === 'readiness') changed(container.name, { ready: ok });
      else if (!ok) unhealthy(container, kind);
      else if (kind === 'startup') {
        passed.abort();
        changed(container.name, { started: true });
      }
    };
    const onFailure = (message: string): void => {
      recorder.event(
        view.pod,
        'Warning',
        'Unhealthy',
        `${title} probe failed: ${message}`,
        `spec.containers{${container.name}}`,
      );
    };
    void runProbe(probe, target, clock, AbortSignal.any([signal, passed.signal]), report, onFailure);
  };

  return {
    follow: (view) => {
      const { initContainers = [], containers } = view.pod.spec;
      for (const container of [...initContainers.filter(isSidecar), ...containers]) {
        const attempt = lastAttempt(view, container.name);
        if (attempt?.state.kind !== 'running') {
          stop(container.name);
          continue;
        }
        if (running.get(container.name)?.id !== attempt.id) {
          stop(container.name);
          running.set(container.name, { id: attempt.id, kinds: new Set(), end: new AbortController() });
        }
        const entry = running.get(container.name);
        if (entry === undefined) continue;
        const started = isStarted(view, container);
        const wanted: readonly (readonly [ProbeKind, Probe | undefined])[] = started
          ? [
              ['readiness', container.readinessProbe],
              ['liveness', container.livenessProbe],
            ]
          : [['startup', container.startupProbe]];
        for (const [kind, probe] of wanted) {
          if (probe === undefined || entry.kinds.has(kind)) continue;
          entry.kinds.add(kind);
          begin(kind, probe, container, view, entry.end.signal, attempt.id);
        }
      }
    },
    stop,
    stopAll: () => {
      for (const name of running.keys()) stop(name);
    },
  };
}
