import { expect, test } from 'vitest';
import { redactBody, redactText, redactURI, redacted } from '../../src/audit/redact.ts';
import type { Addressed } from '../../src/audit/redact.ts';

const pods: Addressed = { group: '', resource: 'pods', subresource: '' };
const secrets: Addressed = { group: '', resource: 'secrets', subresource: '' };
const tokens: Addressed = { group: '', resource: 'serviceaccounts', subresource: 'token' };
const reviews: Addressed = { group: 'authentication.k8s.io', resource: 'tokenreviews', subresource: '' };
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const planted = 'pl4nted';

interface Row {
  readonly guarantees: string;
  readonly addressed?: Addressed;
  readonly body: unknown;
}

const secret = { kind: 'Secret', data: { password: planted }, stringData: { plain: planted } };

test.for<Row>([
  { guarantees: 'data and stringData of a Secret', body: secret },
  { guarantees: 'secrets in a List', body: { kind: 'List', items: [{ kind: 'Pod' }, secret] } },
  {
    guarantees: 'items of a SecretList, which have no kind',
    body: { kind: 'SecretList', items: [{ data: { a: planted } }] },
  },
  { guarantees: 'items of any list of secrets', addressed: secrets, body: { items: [{ data: { a: planted } }] } },
  { guarantees: 'a merge patch of a secret', addressed: secrets, body: { data: { a: planted } } },
  { guarantees: 'data that is no map', addressed: secrets, body: { data: planted } },
  {
    guarantees: 'a JSON Patch of a secret',
    addressed: secrets,
    body: [{ op: 'add', path: '/data/a', value: planted }],
  },
  {
    guarantees: 'a JSON Patch that replaces the whole secret',
    addressed: secrets,
    body: [{ op: 'replace', path: '', value: { data: { a: planted } } }],
  },
  {
    guarantees: 'a body of secrets that pretends another kind',
    addressed: secrets,
    body: { kind: 'Pod', data: { a: planted } },
  },
  { guarantees: 'a body of secrets that could not be decoded', addressed: secrets, body: planted },
  {
    guarantees: 'a watch event of a secret',
    addressed: secrets,
    body: { type: 'ADDED', object: { data: { a: planted } } },
  },
  {
    guarantees: 'a table of secrets',
    addressed: secrets,
    body: { kind: 'Table', rows: [{ cells: [1], object: { data: { a: planted } } }] },
  },
  {
    guarantees: 'the token of a TokenRequest',
    addressed: tokens,
    body: { kind: 'TokenRequest', status: { token: planted } },
  },
  { guarantees: 'the token of a TokenReview', addressed: reviews, body: { spec: { token: planted } } },
  {
    guarantees: 'last-applied of any object',
    body: { kind: 'Pod', metadata: { annotations: { [lastApplied]: planted } } },
  },
  { guarantees: 'last-applied in a merge patch', body: { metadata: { annotations: { [lastApplied]: planted } } } },
  {
    guarantees: 'last-applied in a JSON Patch by path',
    body: [{ op: 'add', path: `/metadata/annotations/${lastApplied.replace('/', '~1')}`, value: planted }],
  },
  {
    guarantees: 'last-applied in a JSON Patch by value',
    body: [{ op: 'add', path: '/metadata/annotations', value: { [lastApplied]: planted } }],
  },
])('$guarantees are taken out', ({ addressed = pods, body }) => {
  expect(JSON.stringify(redactBody(body, addressed, false))).not.toContain(planted);
});

test('keys of a secret stay, and a null that deletes one', () => {
  expect(redactBody({ data: { a: 'x', b: null } }, secrets, false)).toEqual({ data: { a: redacted, b: null } });
});

test('what is no secret stays as it is', () => {
  const configMap = { kind: 'ConfigMap', metadata: { name: 'c' }, data: { token: 'not one' } };
  expect(redactBody(configMap, { ...pods, resource: 'configmaps' }, false)).toEqual(configMap);
});

test('the given body is never changed', () => {
  const body = structuredClone(secret);
  redactBody(body, secrets, false);
  expect(body).toEqual(secret);
});

test('endless nesting is cut, not followed', () => {
  let deep: unknown = {};
  for (let i = 0; i < 100_000; i++) deep = i % 2 === 0 ? [deep] : { deep };
  expect(JSON.stringify(redactBody({ deep }, pods, false)).length).toBeLessThan(2000);
});

test('managedFields go where asked, in lists too', () => {
  const body = { items: [{ metadata: { name: 'a', managedFields: [{}] } }] };
  expect(redactBody(body, pods, true)).toEqual({ items: [{ metadata: { name: 'a' } }] });
});

test.for([
  ['/api/v1/pods?watch=1', '/api/v1/pods?watch=1'],
  ['/x?token=abc&a=b', `/x?token=${redacted}&a=b`],
  ['/x?a=b&access_token=abc', `/x?a=b&access_token=${redacted}`],
  ['/x?%74oken=abc', `/x?%74oken=${redacted}`],
  ['/x?continue=abc&%zz=1', '/x?continue=abc&%zz=1'],
] as const)('the URI %s is recorded as %s', ([uri, kept]) => {
  expect(redactURI(uri)).toBe(kept);
});

test('an Authorization value in a text is taken out', () => {
  expect(redactText('curl Bearer abcdefgh.ijk')).toBe(`curl Bearer ${redacted}`);
});
