/** What server-side apply refuses. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import type { WriteOptions } from '../../../../src/core/resources/resources.ts';
import { deployment, harness } from '../harness.ts';
import type { Harness } from '../harness.ts';
import { applier, cm, failure, path } from './support.ts';

let h: Harness;
const apply = applier(() => h);

beforeEach(async () => {
  h = await harness();
});

describe('what is no configuration', () => {
  test.for<{ guarantees: string; config: unknown; says: string; more?: Partial<WriteOptions> }>([
    {
      guarantees: 'a field that the kind has not is refused whatever fieldValidation says',
      config: { ...cm({}), foo: 1 },
      more: { fieldValidation: 'Ignore' },
      says: 'failed to create typed patch object (/a; /v1, Kind=ConfigMap): .foo: field not declared in schema',
    },
    {
      guarantees: 'a value of another type is refused',
      config: cm({ a: 1 }),
      says: '.data.a: expected string, got int64',
    },
    {
      guarantees: 'a list is no map',
      config: cm([]),
      says: '.data: expected map, got []interface {}',
    },
    {
      guarantees: 'several errors are all named',
      config: { ...cm({ a: 1 }), b: 1 },
      says: 'errors:\n  .data.a: expected',
    },
    {
      guarantees: 'managedFields cannot be applied',
      config: cm({}, { managedFields: [{ manager: 'x' }] }),
      says: 'metadata.managedFields must be nil',
    },
    {
      guarantees: 'it is of the version addressed',
      config: { ...cm({}), apiVersion: 'v2' },
      says: 'invalid object type: /v2, Kind=ConfigMap',
    },
    { guarantees: 'it says its kind', config: { metadata: { name: 'a' } }, says: 'invalid object type: /, Kind=' },
    {
      guarantees: 'it has the name addressed',
      config: cm({}, { name: 'b' }),
      says: 'the name of the object (b) does not match',
    },
    {
      guarantees: 'it has the namespace addressed',
      config: cm({}, { namespace: 'other' }),
      says: 'the namespace of the provided object does not match',
    },
    { guarantees: 'it is an object', config: ['a'], says: 'error decoding YAML' },
    {
      guarantees: 'a uid cannot be created',
      config: cm({}, { uid: 'u-1' }),
      says: 'uid mismatch: the provided object specified uid u-1, and no existing object was found',
    },
  ])('$guarantees', async ({ config, says, more = {} }) => {
    expect((await failure(apply('me', config as object, path, more))).message).toContain(says);
  });

  test.for<{ guarantees: string; container: object; says: string }>([
    {
      guarantees: 'an item is named once',
      container: { env: [{ name: 'A' }, { name: 'A' }] },
      says: '.spec.template.spec.containers[name="main"].env: duplicate entries for key [name="A"]',
    },
    {
      guarantees: 'an item has its key',
      container: { env: [{ value: 'A' }] },
      says: '.env: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
    },
  ])('$guarantees', async ({ container, says }) => {
    const template = {
      metadata: { labels: { app: 'd' } },
      spec: { containers: [{ name: 'main', image: 'img', ...container }] },
    };
    const error = await failure(apply('me', deployment('d', { template }), 'apps/v1/deployments/d'));
    expect(error.message).toContain(says);
  });

  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: "1"\n  a: "2"\n';
  const send = async (fieldValidation: WriteOptions['fieldValidation']): Promise<KubeObject> => {
    const target = {
      group: '',
      version: 'v1',
      resource: 'configmaps',
      subresource: '',
      namespace: 'default',
      name: 'a',
    };
    const body = { bytes: Buffer.from(yaml), contentType: 'application/apply-patch+yaml' };
    const options = { dryRun: false, fieldManager: 'me', fieldValidation, force: false };
    return (await h.resources.patch(h.call, target, 'apply', body, options)).object;
  };

  test('a field given twice is refused, told or passed over as fieldValidation says', async () => {
    expect((await failure(send('Strict'))).message).toContain('key "data.a" already set in map');
    expect((await send('Ignore'))['data']).toEqual({ a: '2' });
    expect(h.warnings).toEqual([]);
    await send('Warn');
    expect(h.warnings).toEqual(['key "data.a" already set in map']);
  });

  test('a resourceVersion that is not the present one is a conflict', async () => {
    const made = await apply('me', cm({ a: '1' }));
    expect((await failure(apply('me', cm({ a: '2' }, { resourceVersion: '1' })))).reason).toBe('Conflict');
    const { resourceVersion } = made.metadata;
    expect((await apply('me', cm({ a: '2' }, { resourceVersion })))['data']).toEqual({ a: '2' });
  });
});
