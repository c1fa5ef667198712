import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseKubeconfig } from '../../src/app/credentials.ts';

const config = {
  'current-context': 'here',
  clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:7443', 'certificate-authority-data': 'Q0E=' } }],
  users: [{ name: 'u', user: { 'client-certificate-data': 'Q0VSVA==', 'client-key-data': 'S0VZ' } }],
  contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
};

test('a kubeconfig gives server, authority, identity and namespace of its current context', () => {
  expect(parseKubeconfig(stringify(config), '/k')).toMatchObject({
    ca: 'CA',
    identity: { cert: 'CERT', key: 'KEY' },
    token: undefined,
    insecure: false,
    namespace: 'shop',
  });
});

const user = (value: object): object => ({ ...config, users: [{ name: 'u', user: value }] });

test.for<readonly [string, unknown, RegExp]>([
  ['an empty file', '', /empty/],
  ['no current context', { ...config, 'current-context': '' }, /no current-context/],
  ['a context that is not there', { ...config, 'current-context': 'x' }, /no context "x"/],
  ['a cluster that is not there', { ...config, clusters: [] }, /no cluster "c"/],
  ['a server without TLS', { ...config, clusters: [{ name: 'c', cluster: { server: 'http://x' } }] }, /https/],
  ['a plugin for credentials', user({ exec: { command: 'x' } }), /plugin/],
  ['a file that is gone', user({ 'client-key': 'gone.pem' }), /gone\.pem/],
])('%s is refused in one line that says so', ([, value, message]) => {
  const text = typeof value === 'string' ? value : stringify(value);
  expect(() => parseKubeconfig(text, '/nowhere/k')).toThrow(message);
  expect(() => parseKubeconfig(text, '/nowhere/k')).toThrow(/^kubeconfig [^\n]*$/);
});
