/** Server-side apply of lists and of values that are not written. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { at } from '../../../../src/std/value.ts';
import { deployment, harness } from '../harness.ts';
import type { Harness } from '../harness.ts';
import { applier, cm, failure, owner } from './support.ts';

let h: Harness;
const apply = applier(() => h);

beforeEach(async () => {
  h = await harness();
});

describe('lists', () => {
  const service = (ports: readonly object[]): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec: { ports },
  });

  test('items of a map list are owned by their keys, with the default of a key that is left out', async () => {
    const made = await apply('me', service([{ port: 80, name: 'web' }]), 'services/s');
    expect(owner(made, 'me')).toEqual({
      'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } } },
    });
  });

  test('each applier keeps its own items', async () => {
    await apply('one', service([{ port: 80, name: 'web' }]), 'services/s');
    await apply('two', service([{ port: 81, name: 'api' }]), 'services/s');
    const left = await apply('one', service([{ port: 82, name: 'web' }]), 'services/s');
    expect(at(left, 'spec', 'ports')).toMatchObject([{ port: 81 }, { port: 82 }]);
  });

  test('values of a set are owned one by one', async () => {
    const of = (...finalizers: readonly string[]): object => cm({}, { finalizers });
    await apply('one', of('x.io/a', 'x.io/b'));
    const both = await apply('two', of('x.io/b', 'x.io/c'));
    expect(both.metadata.finalizers).toEqual(['x.io/a', 'x.io/b', 'x.io/c']);
    expect(owner(both, 'two')).toMatchObject({
      'f:metadata': { 'f:finalizers': { 'v:"x.io/b"': {}, 'v:"x.io/c"': {} } },
    });
    expect((await apply('one', of('x.io/a'))).metadata.finalizers).toEqual(['x.io/a', 'x.io/b', 'x.io/c']);
    expect((await apply('two', of())).metadata.finalizers).toEqual(['x.io/a']);
  });

  test('an atomic list is owned whole', async () => {
    const of = (args: readonly string[]): object =>
      deployment('d', {
        template: {
          metadata: { labels: { app: 'd' } },
          spec: { containers: [{ name: 'main', image: 'img', args }] },
        },
      });
    const made = await apply('one', of(['a', 'b']), 'apps/v1/deployments/d');
    const container = 'k:{"name":"main"}';
    expect(at(owner(made, 'one'), 'f:spec', 'f:template', 'f:spec', 'f:containers', container, 'f:args')).toEqual({});
    const error = await failure(apply('two', of(['a', 'c']), 'apps/v1/deployments/d'));
    expect(error.message).toContain('.spec.template.spec.containers[name="main"].args');
  });

  test('a selector is one value', async () => {
    const made = await apply('one', deployment('d'), 'apps/v1/deployments/d');
    expect(at(owner(made, 'one'), 'f:spec', 'f:selector')).toEqual({});
  });

  test('the order of the configuration is kept, with what others have in its old place', async () => {
    const of = (...names: readonly string[]): object =>
      deployment('d', {
        template: {
          metadata: { labels: { app: 'd' } },
          spec: { containers: names.map((name) => ({ name, image: 'img' })) },
        },
      });
    const names = (object: KubeObject): unknown[] =>
      (at(object, 'spec', 'template', 'spec', 'containers') as readonly object[]).map((one) => at(one, 'name'));
    await apply('one', of('x', 'a', 'y', 'b'), 'apps/v1/deployments/d');
    expect(names(await apply('two', of('b', 'n', 'a'), 'apps/v1/deployments/d', { force: true }))).toEqual([
      'x',
      'y',
      'b',
      'n',
      'a',
    ]);
  });
});

describe('values', () => {
  test('null takes a value away and is owned', async () => {
    await apply('me', deployment('d', { paused: true }), 'apps/v1/deployments/d');
    const left = await apply('me', deployment('d', { paused: null }), 'apps/v1/deployments/d');
    expect(at(left, 'spec', 'paused')).toBeUndefined();
    expect(at(owner(left, 'me'), 'f:spec', 'f:paused')).toEqual({});
  });

  test('a zero that is not written is owned all the same', async () => {
    await apply('one', deployment('d', { paused: true }), 'apps/v1/deployments/d');
    const error = await failure(apply('two', deployment('d', { paused: false }), 'apps/v1/deployments/d'));
    expect(error.message).toContain('.spec.paused');
  });

  test('two spellings of one amount are no conflict', async () => {
    const of = (cpu: unknown): object => ({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'q' },
      spec: { hard: { cpu } },
    });
    const first = await apply('one', of('1'), 'resourcequotas/q');
    expect(at(await apply('two', of('1000m'), 'resourcequotas/q'), 'spec', 'hard')).toEqual({ cpu: '1' });
    expect(at(first, 'spec', 'hard')).toEqual({ cpu: '1' });
  });
});
