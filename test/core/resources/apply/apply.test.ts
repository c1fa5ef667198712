/** Server-side apply through the one write path: who owns what, what goes and what stays. */
import { beforeEach, describe, expect, test } from 'vitest';
import { at } from '../../../../src/std/value.ts';
import { configMap, deployment, harness } from '../harness.ts';
import type { Harness } from '../harness.ts';
import { applier, as, cm, entries, failure, owner, path } from './support.ts';

let h: Harness;
const apply = applier(() => h);

beforeEach(async () => {
  h = await harness();
});

describe('one applier', () => {
  test('what is not there is created, with code 201, and owned by its applier alone', async () => {
    const made = await apply('me', cm({ a: '1' }, { labels: { l: 'x' } }));
    expect(entries(made)).toEqual([
      {
        manager: 'me',
        operation: 'Apply',
        apiVersion: 'v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:l': {} } } },
      },
    ]);
  });

  test('creating by apply needs the permission to create', async () => {
    h = await harness({ allowed: false });
    expect((await failure(apply('me', cm({ a: '1' })))).message).toContain('cannot create resource "configmaps"');
    expect((await failure(h.get(path))).reason).toBe('NotFound');
  });

  test('applying the same again changes nothing, not even the time', async () => {
    const first = await apply('me', cm({ a: '1' }));
    h.advance(60_000);
    expect(await apply('me', cm({ a: '1' }))).toEqual(first);
  });

  test('a new value is a new time', async () => {
    await apply('me', cm({ a: '1' }));
    h.advance(60_000);
    expect(entries(await apply('me', cm({ a: '2' })))[0]?.time).toBe('2026-01-01T00:01:00Z');
  });

  test('what is left out goes, what others wrote stays', async () => {
    await apply('me', cm({ a: '1', b: '1' }));
    await h.patch(path, 'merge', { data: { theirs: '1' } }, as('other'));
    const left = await apply('me', cm({ a: '1' }));
    expect(left['data']).toEqual({ a: '1', theirs: '1' });
    expect(owner(left, 'me')).toEqual({ 'f:data': { 'f:a': {} } });
    expect(owner(left, 'other', 'Update')).toEqual({ 'f:data': { 'f:theirs': {} } });
  });

  test('a map goes with its last key', async () => {
    await apply('me', cm({ a: '1' }, { labels: { l: 'x' } }));
    expect((await apply('me', cm({ a: '1' }))).metadata.labels).toBeUndefined();
  });

  test('a configuration that names nothing owns nothing', async () => {
    await apply('me', cm({ a: '1' }));
    const left = await apply('me', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } });
    expect(left['data']).toBeUndefined();
    expect(entries(left)).toEqual([]);
  });

  test('a field that is left out goes back to its default', async () => {
    await apply('me', deployment('d', { revisionHistoryLimit: 3 }), 'apps/v1/deployments/d');
    const left = await apply('me', deployment('d'), 'apps/v1/deployments/d');
    expect(at(left, 'spec', 'revisionHistoryLimit')).toBe(10);
  });

  test('a removed container takes its defaults along', async () => {
    const of = (names: readonly string[]): object =>
      deployment('d', {
        template: {
          metadata: { labels: { app: 'd' } },
          spec: { containers: names.map((name) => ({ name, image: 'img' })) },
        },
      });
    await apply('me', of(['a', 'b']), 'apps/v1/deployments/d');
    const left = await apply('me', of(['b']), 'apps/v1/deployments/d');
    expect(at(left, 'spec', 'template', 'spec', 'containers')).toMatchObject([{ name: 'b' }]);
  });

  test('a dry run answers what would be and keeps nothing', async () => {
    expect((await apply('me', cm({ a: '1' }), path, { dryRun: true }))['data']).toEqual({ a: '1' });
    expect((await failure(h.get(path))).reason).toBe('NotFound');
    const first = await apply('me', cm({ a: '1' }));
    expect((await apply('me', cm({ a: '2' }), path, { dryRun: true }))['data']).toEqual({ a: '2' });
    expect(await h.get(path)).toEqual(first);
  });
});

describe('several owners', () => {
  test('changing what another applier owns is a conflict, with a cause that names field and owner', async () => {
    await apply('one', cm({ a: '1' }));
    const error = await failure(apply('two', cm({ a: '2' })));
    expect(error.message).toBe('Apply failed with 1 conflict: conflict with "one": .data.a');
    expect([error.code, error.reason]).toEqual([409, 'Conflict']);
    expect(error.details).toEqual({
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' }],
    });
  });

  test('several conflicts are listed by owner', async () => {
    await apply('one', cm({ a: '1', b: '1' }));
    await h.patch(path, 'merge', { data: { c: '1' } }, as('kubectl-patch'));
    const error = await failure(apply('two', cm({ a: '2', b: '2', c: '2' })));
    expect(error.message).toBe(
      'Apply failed with 3 conflicts: conflicts with "kubectl-patch" using v1:\n- .data.c\nconflicts with "one":\n- .data.a\n- .data.b',
    );
  });

  test('the owner of an update is named with its version', async () => {
    await h.create('apps/v1/deployments', deployment('d'), as('kubectl-client-side-apply'));
    const error = await failure(apply('me', deployment('d', { replicas: 3 }), 'apps/v1/deployments/d'));
    expect(error.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
    );
  });

  test('an update of the same name is another owner', async () => {
    await h.create('configmaps', configMap('a'), as('me'));
    expect((await failure(apply('me', cm({ a: '2' })))).message).toContain('conflict with "me" using v1: .data.a');
  });

  test('force takes the field over', async () => {
    await apply('one', cm({ a: '1', b: '1' }));
    const taken = await apply('two', cm({ a: '2' }), path, { force: true });
    expect(taken['data']).toEqual({ a: '2', b: '1' });
    expect(owner(taken, 'one')).toEqual({ 'f:data': { 'f:b': {} } });
    expect(owner(taken, 'two')).toEqual({ 'f:data': { 'f:a': {} } });
  });

  test('who lost every field is no owner any longer', async () => {
    await apply('one', cm({ a: '1' }));
    const taken = await apply('two', cm({ a: '2' }), path, { force: true });
    expect(entries(taken).map(({ manager }) => manager)).toEqual(['two']);
  });

  test('saying the same makes a second owner, and the field stays until both have left it', async () => {
    await apply('one', cm({ a: '1', b: '1' }));
    await apply('two', cm({ a: '1' }));
    expect((await apply('one', cm({ b: '1' })))['data']).toEqual({ a: '1', b: '1' });
    expect((await apply('two', cm({})))['data']).toEqual({ b: '1' });
  });

  test('an owner who shares a field still conflicts when it changes it', async () => {
    await apply('one', cm({ a: '1' }));
    await apply('two', cm({ a: '1' }));
    expect((await failure(apply('two', cm({ a: '2' })))).message).toContain('conflict with "one": .data.a');
  });

  test('an update takes what it changes from everybody, and an applier who wants it back has a conflict', async () => {
    await apply('one', cm({ a: '1' }));
    const updated = await h.patch(path, 'merge', { data: { a: '2' } }, as('kubectl-edit'));
    expect(entries(updated).map(({ manager, operation }) => [manager, operation])).toEqual([
      ['kubectl-edit', 'Update'],
    ]);
    expect((await failure(apply('one', cm({ a: '1' })))).message).toContain('"kubectl-edit" using v1: .data.a');
  });

  test('what an applier left to an updater is not removed with the applier', async () => {
    await apply('one', cm({ a: '1', b: '1' }));
    await h.patch(path, 'merge', { data: { a: '2' } }, as('other'));
    expect((await apply('one', cm({ b: '1' })))['data']).toEqual({ a: '2', b: '1' });
  });

  test('appliers of different fields do not meet', async () => {
    await apply('one', cm({ a: '1' }));
    await apply('two', cm({ b: '1' }));
    const both = await apply('one', cm({ a: '2' }));
    expect(both['data']).toEqual({ a: '2', b: '1' });
  });

  test('a write that finds nobody tracked makes one owner of all there was', async () => {
    await h.create('configmaps', configMap('a'));
    await h.patch(path, 'merge', { metadata: { managedFields: [] } });
    const made = await apply('me', cm({ b: '1' }));
    expect(owner(made, 'before-first-apply', 'Update')).toEqual({ 'f:data': { '.': {}, 'f:a': {} } });
    expect(owner(made, 'me')).toEqual({ 'f:data': { 'f:b': {} } });
  });
});
