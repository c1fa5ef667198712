/** Controllers at work in a cluster in memory, with pods that a test lets become ready. */
import { afterEach } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../src/api/types/apps.ts';
import type { Pod } from '../../../src/api/types/core.ts';
import * as refs from '../../../src/core/cluster/resource-ref.ts';
import { startInformers } from '../../../src/core/controllers/context.ts';
import type { ControllerContext } from '../../../src/core/controllers/context.ts';
import { rfc3339 } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { StatusError } from '../../../src/api/status.ts';
import { testCluster } from '../../support/cluster.ts';
import type { TestCluster } from '../../support/cluster.ts';

export interface World extends TestCluster {
  /** Starts controllers with copies of their own, as one process does; returns how to end them. */
  start(...run: readonly ((context: ControllerContext) => Promise<void>)[]): () => void;
  pods(labels?: string): Promise<readonly Pod[]>;
  sets(): Promise<readonly ReplicaSet[]>;
  deployment(name: string): Promise<Deployment>;
  /** Plays the node: unready pods become ready, terminating ones go. */
  playNode(): Promise<void>;
  setReady(pod: Pod, ready: boolean): Promise<void>;
}

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

export async function world(): Promise<World> {
  const cluster = await testCluster();
  const { admin, clock } = cluster;
  const setReady = async (pod: Pod, ready: boolean): Promise<void> => {
    const status = ready ? ('True' as const) : ('False' as const);
    const conditions = ['Ready', 'ContainersReady'].map((type) => ({
      type,
      status,
      lastTransitionTime: rfc3339(clock.now()),
    }));
    await admin.update(
      refs.pods,
      {
        ...pod,
        status: { ...pod.status, phase: 'Running', conditions, podIP: '10.0.0.9', podIPs: [{ ip: '10.0.0.9' }] },
      },
      'status',
    );
  };
  const pods = async (labelSelector?: string): Promise<readonly Pod[]> =>
    (await admin.list(refs.pods, { namespace: 'default', labelSelector })).items;
  return {
    ...cluster,
    setReady,
    pods,
    start: (...run) => {
      const ended = new AbortController();
      const end = (): void => ended.abort();
      ends.push(end);
      const base = { clock, log: silentLogger, signal: ended.signal };
      const informers = startInformers({ ...base, client: cluster.client('controllers') });
      for (const each of run) {
        void each({ ...base, informers, clientFor: (name) => cluster.client(name) }).catch((error: unknown) => {
          if (!ended.signal.aborted) throw error;
        });
      }
      return end;
    },
    sets: async () => (await admin.list(refs.replicaSets, { namespace: 'default' })).items,
    deployment: (name) => admin.get(refs.deployments, { namespace: 'default', name }),
    playNode: async () => {
      for (const pod of await pods()) {
        try {
          if (pod.metadata.deletionTimestamp !== undefined) {
            await admin.delete(refs.pods, pod.metadata, { gracePeriodSeconds: 0 });
          } else if (pod.spec.nodeName === undefined) {
            const target = { apiVersion: 'v1', kind: 'Node', name: 'node-1' };
            const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: pod.metadata.name }, target };
            await admin.post(refs.pods, pod.metadata, 'binding', body);
          } else if (pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True') {
            await setReady(pod, true);
          }
        } catch (error) {
          // The controllers were faster: the next look sees what they did.
          if (!(error instanceof StatusError && (error.reason === 'NotFound' || error.reason === 'Conflict')))
            throw error;
        }
      }
      await cluster.settle();
    },
  };
}

export const template = (app: string, image = 'img:1'): Deployment['spec']['template'] => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image }] },
});

export function deploymentOf(name: string, spec: Partial<Deployment['spec']> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: { replicas: 3, selector: { matchLabels: { app: name } }, template: template(name), ...spec },
  };
}
