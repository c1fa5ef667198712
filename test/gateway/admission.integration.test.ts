/** What a client sees of admission through the door: refusals, Warning headers, notes in the trail. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestGateway } from '../support/gateway.ts';
import type { TestGateway } from '../support/gateway.ts';

const namespace = '/api/v1/namespaces/default';
const finding = 'host namespaces (hostNetwork=true)';

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway();
  const labels = { 'pod-security.kubernetes.io/enforce': 'baseline', 'pod-security.kubernetes.io/audit': 'baseline' };
  await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels } });
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await post(`${namespace}/serviceaccounts`, account);
});
afterAll(async () => {
  await at.stop();
});

async function post(path: string, body: unknown): Promise<Response> {
  const as = at.gateway.fetchAs({ name: 'admin', groups: ['system:masters'] });
  const headers = { 'content-type': 'application/json' };
  return await as(new Request(`https://gateway${path}`, { method: 'POST', headers, body: JSON.stringify(body) }));
}

const spec = { hostNetwork: true, containers: [{ name: 'c', image: 'i' }] };

test('a pod against the standard of its namespace is answered 403, and the trail says why', async () => {
  const answer = await post(`${namespace}/pods`, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec });
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({
    reason: 'Forbidden',
    message: `pods "p" is forbidden: violates PodSecurity "baseline:latest": ${finding}`,
    details: { name: 'p', kind: 'pods' },
  });
  const event = at.rows
    .map((row): unknown => (row.event === undefined ? undefined : JSON.parse(row.event.toString())))
    .findLast((one) => one !== undefined);
  expect(event).toMatchObject({
    annotations: {
      'pod-security.kubernetes.io/enforce-policy': 'baseline:latest',
      'pod-security.kubernetes.io/audit-violations': `would violate PodSecurity "baseline:latest": ${finding}`,
    },
  });
});

test('a deployment whose pods would be refused is created with a Warning header', async () => {
  const labels = { app: 'd' };
  const answer = await post('/apis/apps/v1/namespaces/default/deployments', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
  expect(answer.status).toBe(201);
  expect(answer.headers.get('warning')).toBe(`299 - "would violate PodSecurity \\"baseline:latest\\": ${finding}"`);
});
