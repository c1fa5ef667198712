import { expect, test } from 'vitest';
import { matchesFields, nameIn, parseFieldSelector } from '../../src/api/field-selector.ts';

const pods = { group: '', resource: 'pods' };
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { nodeName: 'n1' },
  status: { phase: 'Running' },
};

test.for<[string, boolean]>([
  ['', true],
  ['metadata.name=web', true],
  ['metadata.name==web,metadata.namespace=shop', true],
  ['metadata.name!=web', false],
  ['spec.nodeName=n1,status.phase!=Succeeded,status.phase!=Failed', true],
  ['spec.nodeName=', false],
  ['spec.hostNetwork=false', true],
  ['status.podIP=', true],
  ['metadata.name=a\\,b', false],
])('%s → %s', ([text, selected]) => {
  expect(matchesFields(parseFieldSelector(pods, text), pod)).toBe(selected);
});

test.for<[string, string, string]>([
  ['pods', 'spec.image=a', 'field label not supported: spec.image'],
  ['configmaps', 'data.a=b', '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'],
  ['pods', 'metadata.name', "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
  ['pods', 'metadata.name=a=b', 'invalid field selector'],
  ['pods', 'metadata.name=a\\b', 'invalid field selector'],
])('%s by %s is refused', ([resource, text, why]) => {
  expect(() => parseFieldSelector({ group: '', resource }, text)).toThrow(why);
});

test('events are selected by what they are about, in both their groups', () => {
  const about = (field: string, group: string): boolean =>
    parseFieldSelector({ group, resource: 'events' }, `${field}.name=web`).length === 1;
  expect(about('involvedObject', '')).toBe(true);
  expect(about('regarding', 'events.k8s.io')).toBe(true);
});

test('a selector that names one object says which', () => {
  expect(nameIn(parseFieldSelector(pods, 'metadata.name=web'))).toBe('web');
  expect(nameIn(parseFieldSelector(pods, 'metadata.name!=web'))).toBeUndefined();
});
