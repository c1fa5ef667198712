import { expect, test } from 'vitest';
import { outcomeLater } from '../../../support/outcome.ts';
import type { Harness } from '../../resources/harness.ts';
import { deployment, harness, pod } from '../../resources/harness.ts';

const label = 'pod-security.kubernetes.io/';

/** A cluster whose namespace `default` has these labels. */
async function labelled(labels: Readonly<Record<string, string>>): Promise<Harness> {
  const h = await harness();
  const wanted = Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${label}${key}`, value]));
  await h.patch('namespaces/default', 'merge', { metadata: { labels: wanted } });
  return h;
}

const exposed = { hostNetwork: true };
const finding = 'host namespaces (hostNetwork=true)';

test('a pod that violates what is enforced is refused, also as a dry run, and the trail says by which standard', async () => {
  const h = await labelled({ enforce: 'baseline' });
  const says = `pods "p" is forbidden: violates PodSecurity "baseline:latest": ${finding}`;
  for (const dryRun of [false, true]) {
    expect(await outcomeLater(() => h.create('pods', pod('p', exposed), { dryRun }))).toEqual(
      expect.stringContaining(says),
    );
  }
  expect(h.warnings).toEqual([]);
  expect(h.annotations.get(`${label}enforce-policy`)).toBe('baseline:latest');
  await h.create('pods', pod('q'));
});

test('an ephemeral container is held to it, as is a new image; status and labels of what violates are not', async () => {
  const h = await harness();
  await h.create('pods', pod('p', exposed));
  await h.patch('namespaces/default', 'merge', { metadata: { labels: { [`${label}enforce`]: 'baseline' } } });
  await h.patch('pods/p/status', 'merge', { status: { phase: 'Running' } });
  await h.patch('pods/p', 'merge', { metadata: { labels: { a: 'b' } } });
  const image = { spec: { containers: [{ name: 'main', image: 'other' }] } };
  expect(await outcomeLater(() => h.patch('pods/p', 'strategic', image))).toEqual(expect.stringContaining(finding));
  await h.create('pods', pod('q'));
  const debug = { name: 'd', image: 'i', securityContext: { privileged: true } };
  expect(
    await outcomeLater(() =>
      h.patch('pods/q/ephemeralcontainers', 'strategic', { spec: { ephemeralContainers: [debug] } }),
    ),
  ).toEqual(expect.stringContaining('privileged (container "d" must not set securityContext.privileged=true)'));
});

test('warn tells, audit notes, and neither refuses', async () => {
  const h = await labelled({ warn: 'baseline', audit: 'baseline', 'audit-version': 'v1.30' });
  await h.create('pods', pod('p', exposed));
  expect(h.warnings).toEqual([`would violate PodSecurity "baseline:latest": ${finding}`]);
  expect(h.annotations.get(`${label}audit-violations`)).toBe(`would violate PodSecurity "baseline:v1.30": ${finding}`);
});

test.for([
  { path: 'apps/v1/deployments', object: deployment('d', { template: template() }) },
  { path: 'apps/v1/replicasets', object: { ...deployment('d', { template: template() }), kind: 'ReplicaSet' } },
  {
    path: 'podtemplates',
    object: { apiVersion: 'v1', kind: 'PodTemplate', metadata: { name: 't' }, template: template() },
  },
  {
    path: 'batch/v1/jobs',
    object: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j' },
      spec: { template: template({ restartPolicy: 'Never' }) },
    },
  },
  {
    path: 'batch/v1/cronjobs',
    object: {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'c' },
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template({ restartPolicy: 'Never' }) } } },
    },
  },
])('what is enforced of pods is only warned about in $path', async ({ path, object }) => {
  const h = await labelled({ enforce: 'baseline' });
  await h.create(path, object);
  expect(h.warnings).toEqual([`would violate PodSecurity "baseline:latest": ${finding}`]);
});

function template(more: object = {}): object {
  return { metadata: { labels: { app: 'd' } }, spec: { containers: [{ name: 'm', image: 'i' }], ...exposed, ...more } };
}

test('a namespace whose labels cannot be read is refused; one that was wrong before can be changed elsewhere', async () => {
  const h = await harness();
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'n', labels: { [`${label}enforce`]: 'x' } },
  };
  const says = `Namespace "n" is invalid: metadata.labels[${label}enforce]: Invalid value: "x": must be one of privileged, baseline, restricted`;
  expect(await outcomeLater(() => h.create('namespaces', namespace, {}, ''))).toEqual(expect.stringContaining(says));
  const wrong = { metadata: { labels: { [`${label}warn-version`]: 'x' } } };
  expect(await outcomeLater(() => h.patch('namespaces/default', 'merge', wrong))).toEqual(
    expect.stringContaining('must be "latest" or "v1.x"'),
  );
});

test('a stricter level warns about the pods that are there, equal findings once', async () => {
  const h = await harness();
  for (const name of ['b', 'a', 'c']) await h.create('pods', pod(name, exposed));
  await h.create('pods', pod('d'));
  await h.patch('namespaces/default', 'merge', { metadata: { labels: { [`${label}enforce`]: 'baseline' } } });
  expect(h.warnings).toEqual([
    'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
    'a (and 2 other pods): host namespaces',
  ]);
});
