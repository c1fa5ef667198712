/** Kinds that the cluster's users define, as kubectl sees them: from the definition to its deletion with all its objects. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../support/needs.ts';
import { cronTab, schemaOf } from '../support/definitions.ts';
import { startUp } from './support/up.ts';
import type { Up } from './support/up.ts';

const isHere = needs('custom resources with kubectl', ['kubectl'], 'apt-get install kubernetes-client');

const spec = {
  type: 'object',
  required: ['cronSpec'],
  properties: {
    cronSpec: {
      type: 'string',
      pattern: String.raw`^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$`,
      description: 'When it runs.',
    },
    image: { type: 'string', default: 'busybox' },
    replicas: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
  },
};
const status = {
  type: 'object',
  properties: {
    replicas: { type: 'integer' },
    conditions: {
      type: 'array',
      items: { type: 'object', properties: { type: { type: 'string' }, status: { type: 'string' } } },
    },
  },
};
const schema = { openAPIV3Schema: schemaOf(spec, { properties: { spec, status } }) };
const version = {
  name: 'v1',
  served: true,
  storage: true,
  schema,
  subresources: {
    status: {},
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
  },
  selectableFields: [{ jsonPath: '.spec.image' }],
  additionalPrinterColumns: [
    { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
    { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  ],
};
const definition = cronTab({
  names: { categories: ['tabs'] },
  spec: { versions: [version, { ...version, name: 'v1beta1', storage: false, deprecated: true }] },
});
const tab = (name: string, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { name },
    spec: { cronSpec: '* * * * */5', ...more },
  });

/** As large as the largest that people install: a tree of some 10 000 described fields. */
function largeSchema(): object {
  const leaf = {
    type: 'string',
    description: 'A field of a real definition is described in a sentence or two.',
    maxLength: 253,
  };
  const level = (inner: object, width: number): object => ({
    type: 'object',
    properties: Object.fromEntries(Array.from({ length: width }, (_, index) => [`field${index}`, inner])),
  });
  return level(level(level(leaf, 22), 22), 22);
}

describe.runIf(isHere)('custom resources', () => {
  let up: Up;
  const kubectl = (...args: readonly string[]): Promise<string> => up.kubectl(args);
  const apply = (text: string, ...more: readonly string[]): Promise<string> =>
    up.kubectl(['apply', '-f', '-', ...more], { input: text });

  beforeAll(async () => {
    up = await startUp([
      '--nodes',
      '1',
      '--runtime',
      'hollow',
      '--dataplane',
      'none',
      '--cluster-cidr',
      '10.87.0.0/16',
    ]);
    await apply(JSON.stringify(definition));
  });
  afterAll(async () => {
    await up?.stop();
  });

  test('a definition is established, explained and listed at once', async () => {
    expect(
      await kubectl('wait', '--for=condition=Established', 'crd/crontabs.stable.example.com', '--timeout=5s'),
    ).toContain('condition met');
    expect(await kubectl('explain', 'crontab.spec.cronSpec')).toContain('When it runs.');
    expect(await kubectl('api-resources', '--api-group=stable.example.com')).toMatch(
      /crontabs\s+ct\s+stable.example.com\/v1\s+true\s+CronTab/,
    );
  });

  test('objects are applied, shown in their columns by short name and category, selected and scaled', async () => {
    await apply(tab('one'));
    await apply(tab('two', { image: 'other' }));
    expect(await apply(tab('one'))).toContain('unchanged');
    expect(await kubectl('get', 'ct')).toMatch(/NAME +SPEC +REPLICAS +READY\none +\* \* \* \* \*\/5 +1/);
    expect(await kubectl('get', 'tabs', '-o', 'name')).toBe(
      'crontab.stable.example.com/one\ncrontab.stable.example.com/two\n',
    );
    expect(await kubectl('get', 'ct', '--field-selector', 'spec.image=other', '-o', 'name')).toBe(
      'crontab.stable.example.com/two\n',
    );
    await kubectl('scale', 'ct/one', '--replicas=3');
    expect(await kubectl('get', 'ct/one', '-o', 'jsonpath={.spec.replicas} {.metadata.generation}')).toBe('3 2');
  });

  test('a wrong value and an unknown field are refused with their path', async () => {
    await expect(apply(tab('bad', { replicas: 99 }))).rejects.toThrow(
      'spec.replicas: Invalid value: 99: spec.replicas in body should be less than or equal to 10',
    );
    await expect(apply(tab('bad', { colour: 'red' }))).rejects.toThrow('unknown field "spec.colour"');
  });

  test('server-side apply merges, and says who owns what', async () => {
    const mine = tab('shared', { replicas: 2 });
    await apply(mine, '--server-side', '--field-manager=one');
    await expect(apply(tab('shared', { replicas: 3 }), '--server-side', '--field-manager=two')).rejects.toThrow(
      /conflict with "one".*\.spec\.replicas/s,
    );
  });

  test('the status is waited for, and the older version shows the same object', async () => {
    const ready = JSON.stringify({ status: { conditions: [{ type: 'Ready', status: 'True' }] } });
    await kubectl('patch', 'ct/one', '--subresource=status', '--type=merge', '-p', ready);
    expect(await kubectl('wait', '--for=condition=Ready', 'ct/one', '--timeout=5s')).toContain('condition met');
    expect(
      await kubectl('get', 'crontabs.v1beta1.stable.example.com/one', '-o', 'jsonpath={.apiVersion} {.spec.replicas}'),
    ).toBe('stable.example.com/v1beta1 3');
  });

  test('namespace deletion takes them along, and so does the collection of what their owners leave', async () => {
    await kubectl('create', 'namespace', 'short');
    await apply(tab('inside'), '-n', 'short');
    await kubectl('delete', 'namespace', 'short', '--timeout=30s');
    const uid = await kubectl('get', 'ct/two', '-o', 'jsonpath={.metadata.uid}');
    const ownerReferences = [{ apiVersion: 'stable.example.com/v1', kind: 'CronTab', name: 'two', uid }];
    await apply(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned', ownerReferences } }));
    await kubectl('delete', 'ct/two');
    expect(await kubectl('wait', '--for=delete', 'configmap/owned', '--timeout=30s')).toBeDefined();
  });

  test('a definition as large as they come is served and explained', async () => {
    const names = { plural: 'giants', singular: 'giant', kind: 'Giant', shortNames: [] };
    const giant = cronTab({
      names,
      metadata: { name: 'giants.stable.example.com' },
      schema: schemaOf(largeSchema() as never),
    });
    await up.kubectl(['create', '-f', '-'], { input: JSON.stringify(giant) });
    expect(await kubectl('explain', 'giant.spec.field7.field7.field7')).toContain('a sentence or two');
    const object = {
      apiVersion: 'stable.example.com/v1',
      kind: 'Giant',
      metadata: { name: 'g' },
      spec: { field1: { field2: { field3: 'x' } } },
    };
    expect(await apply(JSON.stringify(object))).toContain('created');
    await kubectl('delete', 'crd/giants.stable.example.com', '--timeout=30s');
  });

  test('a deleted definition takes its objects with it, and its kind is gone', async () => {
    await kubectl('delete', 'crd/crontabs.stable.example.com', '--timeout=30s');
    await expect(kubectl('get', 'crontabs')).rejects.toThrow(
      /could not find the requested resource|doesn't have a resource type/,
    );
    await apply(JSON.stringify(definition));
    expect(await kubectl('get', 'crontabs', '-o', 'name')).toBe('');
  });
});
