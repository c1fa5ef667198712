/** Custom kinds through the door: what another client than kubectl would see of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGateway } from '../support/gateway.ts';
import type { TestGateway } from '../support/gateway.ts';
import { cronTab } from '../support/definitions.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const tabs = '/apis/stable.example.com/v1/namespaces/default/crontabs';
const clusterNames = { plural: 'planets', singular: 'planet', kind: 'Planet', shortNames: [] };

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway();
  await send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  await send('POST', definitions, cronTab({ version: { deprecated: true, deprecationWarning: 'use something else' } }));
  const planets = { names: clusterNames, metadata: { name: 'planets.stable.example.com' } };
  await send('POST', definitions, cronTab({ ...planets, spec: { scope: 'Cluster', names: clusterNames } }));
});
afterAll(async () => {
  await at.stop();
});

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const as = at.gateway.fetchAs({ name: 'admin', groups: ['system:masters'] });
  return await as(
    new Request(`https://gateway${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
}

describe('a custom kind', () => {
  test('is in the discovery of its group, plain and aggregated, as soon as it is defined', async () => {
    const list = (await (await send('GET', '/apis/stable.example.com/v1')).json()) as { resources: { name: string }[] };
    expect(list.resources.map(({ name }) => name)).toEqual(['crontabs', 'planets']);
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    expect(await (await send('GET', '/apis', undefined, { accept })).text()).toContain(
      '"responseKind":{"group":"stable.example.com"',
    );
  });

  test('warns of a deprecated version', async () => {
    const answer = await send('GET', tabs);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('warning')).toBe('299 - "use something else"');
  });

  test('takes no protobuf', async () => {
    const answer = await send('POST', tabs, {}, { 'content-type': 'application/vnd.kubernetes.protobuf' });
    expect(answer.status).toBe(415);
  });

  test('of the cluster is not found through a namespace', async () => {
    const path = '/apis/stable.example.com/v1/namespaces/default/planets';
    expect((await send('GET', path)).status).toBe(404);
    expect((await send('GET', '/apis/stable.example.com/v1/planets')).status).toBe(200);
  });

  test('is granted like any other: a stranger is refused before its object is looked for', async () => {
    const as = at.gateway.fetchAs({ name: 'stranger', groups: [] });
    const answer = await as(new Request(`https://gateway${tabs}/one`));
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('cannot get resource \\"crontabs\\" in API group \\"stable.example.com\\"');
  });

  test.for<{ readonly what: string; readonly body: () => string; readonly code: number }>([
    {
      what: 'nested too deep',
      body: () => `${'{"type":"object","properties":{"a":'.repeat(200)}{}${'}}'.repeat(200)}`,
      code: 400,
    },
    {
      what: 'with a pattern too large to run',
      body: () =>
        JSON.stringify({
          type: 'object',
          properties: { a: { type: 'string', pattern: `(${'a?'.repeat(4_000)}){1000}` } },
        }),
      code: 422,
    },
  ])('with a schema $what is refused, and soon', async ({ body, code }) => {
    const name = 'hostiles.stable.example.com';
    const names = { plural: 'hostiles', kind: 'Hostile', singular: 'hostile' };
    const text = JSON.stringify(cronTab({ names, metadata: { name }, schema: { hostile: true } })).replace(
      '{"hostile":true}',
      body,
    );
    const as = at.gateway.fetchAs({ name: 'admin', groups: ['system:masters'] });
    const headers = { 'content-type': 'application/json' };
    const began = performance.now();
    const answer = await as(new Request(`https://gateway${definitions}`, { method: 'POST', headers, body: text }));
    expect({ status: answer.status, text: answer.status === code ? '' : await answer.text() }).toEqual({
      status: code,
      text: '',
    });
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
