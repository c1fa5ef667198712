import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import type { StatusError } from '../../../../src/api/status.ts';
import type { Harness } from '../harness.ts';
import { harness, noList, target } from '../harness.ts';
import { cronTab, schemaOf } from '../../../support/definitions.ts';

const path = 'stable.example.com/v1/crontabs';
const crds = 'apiextensions.k8s.io/v1/customresourcedefinitions';
const tab = (name: string, spec: object = {}, more: object = {}): object => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name },
  spec: { cronSpec: '* * * * *', ...spec },
  ...more,
});
const refused = async (call: Promise<unknown>): Promise<StatusError> =>
  call.then(
    () => {
      throw new Error('it was not refused');
    },
    (error: StatusError) => error,
  );
const specOf = (object: KubeObject): object => object['spec'] as object;

let h: Harness;
beforeEach(async () => {
  h = await harness();
});

async function define(more: Parameters<typeof cronTab>[0] = {}): Promise<KubeObject> {
  return await h.create(crds, cronTab(more), {}, '');
}
const specSchema = (properties: object, more: object = {}): Parameters<typeof cronTab>[0] => ({
  schema: schemaOf({ type: 'object', properties, ...more }),
});

describe('a definition', () => {
  test('is answered accepted and established, with the names that follow from its kind', async () => {
    const made = await define();
    expect(made).toMatchObject({
      metadata: { generation: 1 },
      spec: {
        names: { singular: 'crontab', listKind: 'CronTabList' },
        conversion: { strategy: 'None' },
      },
      status: {
        storedVersions: ['v1'],
        acceptedNames: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
        conditions: [
          { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts' },
          { type: 'Established', status: 'True', reason: 'InitialNamesAccepted' },
        ],
      },
    });
    expect(h.kinds.find('stable.example.com', 'v1', 'crontabs')).toBeDefined();
  });

  test('whose kind is taken in its group is kept, not accepted and not served', async () => {
    await define();
    const names = { plural: 'others', singular: 'other', kind: 'CronTab', shortNames: ['ct'] };
    const second = await define({ names, metadata: { name: 'others.stable.example.com' } });
    expect(second['status']).toMatchObject({
      conditions: [
        {
          type: 'NamesAccepted',
          status: 'False',
          reason: 'ListKindConflict',
          message: '"CronTabList" is already in use',
        },
        { type: 'Established', status: 'False', reason: 'NotAccepted' },
      ],
    });
    expect(h.kinds.find('stable.example.com', 'v1', 'others')).toBeUndefined();
  });

  test('does not get names by writing them into its own status', async () => {
    await define();
    const made = await h.get(`${crds}/crontabs.stable.example.com`);
    const acceptedNames = { plural: 'secrets', kind: 'Secret', singular: 'secret', listKind: 'SecretList' };
    const changed = await h.update(`${crds}/crontabs.stable.example.com/status`, {
      ...made,
      status: { ...(made['status'] as object), acceptedNames, conditions: [] },
    });
    expect(changed['status']).toMatchObject({ acceptedNames: { plural: 'crontabs' }, conditions: [{}, {}] });
  });

  test('with rules in CEL is refused where nobody enforces them', async () => {
    const error = await refused(
      define(specSchema({ a: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 0' }] } })),
    );
    expect(error.code).toBe(422);
    expect(error.message).toContain('x-kubernetes-validations: Forbidden: rules in CEL are not enforced');
  });

  test('that asks for a conversion webhook is refused: nobody would call it', async () => {
    const webhook = { clientConfig: { url: 'https://example.com/convert' }, conversionReviewVersions: ['v1'] };
    const error = await refused(define({ spec: { conversion: { strategy: 'Webhook', webhook } } }));
    expect(error.message).toContain('spec.conversion.strategy: Forbidden: conversion webhooks are not called');
  });
});

describe('an object of a custom kind', () => {
  test('is created, read, listed, changed and deleted like any other', async () => {
    await define();
    const made = await h.create(path, tab('one', { replicas: 2 }));
    expect(made).toMatchObject({
      metadata: { name: 'one', namespace: 'default', generation: 1 },
      spec: { replicas: 2 },
    });
    const listed = await h.resources.list(h.call, target(path), noList);
    expect(listed.items.map(({ object }) => object.metadata.name)).toEqual(['one']);
    const patched = await h.patch(`${path}/one`, 'merge', { spec: { replicas: 3 } });
    expect(patched).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 3 } });
    await h.remove(`${path}/one`);
    expect((await refused(h.get(`${path}/one`))).code).toBe(404);
  });

  test('that nobody defined is not found', async () => {
    expect((await refused(h.create(path, tab('one')))).code).toBe(404);
  });

  test('loses fields that are not declared, and a strict client is told', async () => {
    await define();
    const error = await refused(h.create(path, tab('one', { colour: 'red' })));
    expect(error.message).toBe(
      'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: unknown field "spec.colour"',
    );
    const made = await h.create(path, tab('one', { colour: 'red' }), { fieldValidation: 'Warn' });
    expect(specOf(made)).toEqual({ cronSpec: '* * * * *' });
    expect(h.warnings).toEqual(['unknown field "spec.colour"']);
  });

  test('is refused in the words of upstream', async () => {
    await define(specSchema({ cronSpec: { type: 'string' }, replicas: { type: 'integer', minimum: 1 } }));
    const error = await refused(h.create(path, tab('one', { replicas: 'three' })));
    expect(error.message).toBe(
      'CronTab.stable.example.com "one" is invalid: spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
    );
    expect(error.details?.causes).toEqual([
      {
        reason: 'FieldValueTypeInvalid',
        field: 'spec.replicas',
        message: 'Invalid value: "string": spec.replicas in body must be of type integer: "string"',
      },
    ]);
  });

  test('has its defaults, also those of a schema that came after it', async () => {
    await define();
    await h.create(path, tab('one'));
    const definition = await h.get(`${crds}/crontabs.stable.example.com`, '');
    const { spec } = cronTab(specSchema({ cronSpec: { type: 'string' }, replicas: { type: 'integer', default: 5 } }));
    await h.update(`${crds}/crontabs.stable.example.com`, { ...definition, spec });
    expect(specOf(await h.get(`${path}/one`))).toEqual({ cronSpec: '* * * * *', replicas: 5 });
    expect(specOf(await h.create(path, tab('two')))).toEqual({ cronSpec: '* * * * *', replicas: 5 });
  });

  test('that a stricter schema would refuse can still be changed elsewhere', async () => {
    await define();
    await h.create(path, tab('one', { replicas: 50, image: 'a' }));
    const definition = await h.get(`${crds}/crontabs.stable.example.com`, '');
    const properties = {
      cronSpec: { type: 'string' },
      replicas: { type: 'integer', maximum: 10 },
      image: { type: 'string' },
    };
    await h.update(`${crds}/crontabs.stable.example.com`, {
      ...definition,
      spec: cronTab(specSchema(properties))['spec'],
    });
    const patched = await h.patch(`${path}/one`, 'merge', { spec: { image: 'b' } });
    expect(specOf(patched)).toMatchObject({ replicas: 50, image: 'b' });
    const error = await refused(h.patch(`${path}/one`, 'merge', { spec: { replicas: 49 } }));
    expect(error.message).toContain('spec.replicas in body should be less than or equal to 10');
  });

  test('needs the resourceVersion it changes, to be replaced', async () => {
    await define();
    await h.create(path, tab('one'));
    expect((await refused(h.update(`${path}/one`, tab('one', { replicas: 2 })))).message).toContain(
      'metadata.resourceVersion: Invalid value: 0x0: must be specified for an update',
    );
  });

  test('takes no strategic merge patch', async () => {
    await define();
    await h.create(path, tab('one'));
    const error = await refused(h.patch(`${path}/one`, 'strategic', { spec: { replicas: 2 } }));
    expect(error.code).toBe(415);
    expect(error.message).toContain('application/json-patch+json, application/merge-patch+json');
  });

  test('keeps a field named __proto__ as data, or drops it', async () => {
    await define({ schema: schemaOf({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }) });
    const spec = JSON.parse('{"__proto__":{"polluted":true},"a":1}') as object;
    const made = await h.create(path, { ...tab('one'), spec });
    expect(JSON.stringify(specOf(made))).toBe('{"__proto__":{"polluted":true},"a":1}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('subresources of a custom kind', () => {
  const scale = {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  };

  test('the status is apart: neither side changes the other, and only the rest counts as a generation', async () => {
    await define({ version: { subresources: { status: {} } } });
    const made = await h.create(path, tab('one', {}, { status: { phase: 'made up' } }));
    expect(made['status']).toBeUndefined();
    const reported = await h.patch(`${path}/one/status`, 'merge', {
      spec: { image: 'no' },
      status: { phase: 'Ready' },
    });
    expect(reported).toMatchObject({ metadata: { generation: 1 }, status: { phase: 'Ready' } });
    expect(specOf(reported)).toEqual({ cronSpec: '* * * * *' });
    const changed = await h.patch(`${path}/one`, 'merge', { spec: { image: 'x' }, status: { phase: 'no' } });
    expect(changed).toMatchObject({ metadata: { generation: 2 }, status: { phase: 'Ready' } });
  });

  test('without a status subresource every change but of metadata is a generation', async () => {
    await define();
    await h.create(path, tab('one'));
    expect((await h.patch(`${path}/one`, 'merge', { status: { a: 1 } })).metadata.generation).toBe(2);
    expect((await h.patch(`${path}/one`, 'merge', { metadata: { labels: { a: 'b' } } })).metadata.generation).toBe(2);
    expect((await refused(h.get(`${path}/one/status`))).code).toBe(404);
  });

  test('scale shows and changes the replicas where the definition says they are', async () => {
    await define({ version: { subresources: { status: {}, scale } } });
    await h.create(path, tab('one', { replicas: 2 }));
    await h.patch(`${path}/one/status`, 'merge', { status: { replicas: 1, selector: 'app=one' } });
    expect(await h.get(`${path}/one/scale`)).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 2 },
      status: { replicas: 1, selector: 'app=one' },
    });
    await h.patch(`${path}/one/scale`, 'merge', { spec: { replicas: 7 } });
    expect(await h.get(`${path}/one`)).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 7 } });
    const error = await refused(h.patch(`${path}/one/scale`, 'merge', { spec: { replicas: -1 } }));
    expect(error.message).toContain('spec.replicas: Invalid value: -1: must be greater than or equal to 0');
  });

  test('scale of an object that has no replicas says so', async () => {
    await define({ version: { subresources: { scale } } });
    await h.create(path, tab('one'));
    expect((await refused(h.get(`${path}/one/scale`))).message).toBe(
      'Internal error occurred: the spec replicas field ".spec.replicas" does not exist',
    );
  });
});

describe('versions of a custom kind', () => {
  const version = (name: string, properties: object, more: object = {}): object => ({
    name,
    served: true,
    storage: false,
    schema: { openAPIV3Schema: schemaOf({ type: 'object', properties }) },
    ...more,
  });
  const both = { cronSpec: { type: 'string' }, replicas: { type: 'integer', default: 1 } };

  test("an object is read in any served version, with that version's fields", async () => {
    const versions = [version('v1', both, { storage: true }), version('v2', { cronSpec: { type: 'string' } })];
    await define({ spec: { versions } });
    await h.create(path, tab('one'));
    expect(await h.get('stable.example.com/v2/crontabs/one')).toMatchObject({ apiVersion: 'stable.example.com/v2' });
    expect(specOf(await h.get('stable.example.com/v2/crontabs/one'))).toEqual({ cronSpec: '* * * * *' });
    expect(specOf(await h.get(`${path}/one`))).toEqual({ cronSpec: '* * * * *', replicas: 1 });
  });

  test('what is written in one version is stored in the version for storage', async () => {
    await define({ spec: { versions: [version('v1', both, { storage: true }), version('v2', both)] } });
    const v2 = { ...tab('one'), apiVersion: 'stable.example.com/v2' };
    expect((await h.create('stable.example.com/v2/crontabs', v2)).apiVersion).toBe('stable.example.com/v2');
    const key = { resource: 'crontabs.stable.example.com', namespace: 'default', name: 'one' };
    expect((await h.store.get(key, { kind: 'any' }))?.object.apiVersion).toBe('stable.example.com/v1');
    const patched = await h.patch('stable.example.com/v2/crontabs/one', 'merge', { spec: { replicas: 4 } });
    expect(patched).toMatchObject({ apiVersion: 'stable.example.com/v2', spec: { replicas: 4 } });
  });

  test('a write that changes nothing moves the object to a new storage version', async () => {
    await define({ spec: { versions: [version('v1', both, { storage: true }), version('v2', both)] } });
    await h.create(path, tab('one'));
    const definition = await h.get(`${crds}/crontabs.stable.example.com`, '');
    const versions = [version('v1', both), version('v2', both, { storage: true })];
    const moved = await h.update(`${crds}/crontabs.stable.example.com`, {
      ...definition,
      spec: cronTab({ spec: { versions } })['spec'],
    });
    expect(moved['status']).toMatchObject({ storedVersions: ['v1', 'v2'] });
    await h.update(`${path}/one`, await h.get(`${path}/one`));
    const key = { resource: 'crontabs.stable.example.com', namespace: 'default', name: 'one' };
    expect((await h.store.get(key, { kind: 'any' }))?.object.apiVersion).toBe('stable.example.com/v2');
  });

  test('a version that objects are stored in cannot be taken away', async () => {
    await define({ spec: { versions: [version('v1', both, { storage: true }), version('v2', both)] } });
    const definition = await h.get(`${crds}/crontabs.stable.example.com`, '');
    const versions = [version('v2', both, { storage: true })];
    const error = await refused(
      h.update(`${crds}/crontabs.stable.example.com`, { ...definition, spec: cronTab({ spec: { versions } })['spec'] }),
    );
    expect(error.message).toContain('status.storedVersions[0]: Invalid value: "v1": must appear in spec.versions');
  });
});

describe('selecting and watching custom objects', () => {
  test('selectable fields select; others are refused', async () => {
    await define({ version: { selectableFields: [{ jsonPath: '.spec.image' }] } });
    await h.create(path, tab('one', { image: 'a' }));
    await h.create(path, tab('two', { image: 'b' }));
    const listed = await h.resources.list(h.call, target(path), { ...noList, fieldSelector: 'spec.image=b' });
    expect(listed.items.map(({ object }) => object.metadata.name)).toEqual(['two']);
    const wrong = h.resources.list(h.call, target(path), { ...noList, fieldSelector: 'spec.replicas=1' });
    expect((await refused(wrong)).code).toBe(400);
  });

  test('a watch ends when its kind changes', async () => {
    await define();
    await h.create(path, tab('one'));
    const watching = h.watch(path, {}, 99);
    const definition = await h.get(`${crds}/crontabs.stable.example.com`, '');
    const { spec } = cronTab(specSchema({ cronSpec: { type: 'string' } }));
    await h.update(`${crds}/crontabs.stable.example.com`, { ...definition, spec });
    expect((await watching).map((item) => item.type)).toEqual(['ADDED']);
  });
});

test('a kind that is being deleted lets nothing new begin', async () => {
  await define();
  await h.create(path, tab('one'));
  const going = await h.remove(`${crds}/crontabs.stable.example.com`);
  expect(going).toMatchObject({ metadata: { finalizers: ['customresourcecleanup.apiextensions.k8s.io'] } });
  expect(h.kinds.find('stable.example.com', 'v1', 'crontabs')?.verbs).not.toContain('create');
  expect((await h.get(`${path}/one`)).metadata.name).toBe('one');
});
