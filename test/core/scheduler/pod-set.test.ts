import { expect, test } from 'vitest';
import { formatSelector } from '../../../src/api/selector.ts';
import type { Service } from '../../../src/api/types/core.ts';
import { setSelector } from '../../../src/core/scheduler/pod-set.ts';
import type { SetSources } from '../../../src/core/scheduler/pod-set.ts';
import { pod } from './support.ts';

const service = (name: string, selector: Readonly<Record<string, string>> | undefined): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: selector === undefined ? {} : { selector },
});
const sources: SetSources = {
  services: (namespace) =>
    namespace === 'default'
      ? [service('web', { app: 'web' }), service('db', { app: 'db' }), service('none', undefined)]
      : [],
  controllerSelector: (kind, _namespace, name) =>
    kind === 'ReplicaSet' && name === 'web-1' ? { matchLabels: { hash: '1' } } : undefined,
};
const ownedBy = (kind: string, name: string): object => ({
  ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: 'u', controller: true }],
});

interface Row {
  readonly guarantees: string;
  readonly metadata: object;
  readonly selector: string;
}

test.for<Row>([
  { guarantees: 'a pod of nothing belongs to no set', metadata: {}, selector: '' },
  { guarantees: 'the pods of its Service', metadata: { labels: { app: 'web' } }, selector: 'app=web' },
  { guarantees: 'not those of another namespace', metadata: { labels: { app: 'web' }, namespace: 'x' }, selector: '' },
  { guarantees: 'the pods of its controller', metadata: ownedBy('ReplicaSet', 'web-1'), selector: 'hash=1' },
  {
    guarantees: 'of both: those that are in both',
    metadata: { labels: { app: 'web' }, ...ownedBy('ReplicaSet', 'web-1') },
    selector: 'app=web,hash=1',
  },
  { guarantees: 'a controller that keeps no set does not count', metadata: ownedBy('Job', 'j'), selector: '' },
])('$guarantees', ({ metadata, selector }) => {
  const found = setSelector(pod('p', {}, metadata), sources);
  expect(found).not.toBe('nothing');
  expect(formatSelector(found)).toBe(selector);
});
