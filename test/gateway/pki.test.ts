import 'reflect-metadata'; // what the dependency injection inside @peculiar/x509 stands on
import { X509Certificate, createPrivateKey, webcrypto } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kubeconfig } from '../../src/gateway/kubeconfig.ts';
import { createAuthority, issueClientCertificate, openPki, servingNames } from '../../src/gateway/pki.ts';
import { signRequest, signerObjection, type SignerName } from '../../src/gateway/signing-request.ts';

const now = Date.UTC(2026, 0, 1);
const day = 24 * 3600 * 1000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-pki-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('openPki', () => {
  test('makes an authority and a serving certificate for every name, readable by the owner alone', async () => {
    const names = servingNames(['gate.example'], '10.96.0.1');
    const { ca, serving } = await openPki(join(folder, 'pki'), { now, names });
    const certificate = new X509Certificate(serving.cert);
    expect(certificate.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(serving.key))).toBe(true);
    expect(certificate.checkHost('kubernetes.default.svc')).toBeDefined();
    expect(certificate.checkHost('gate.example')).toBeDefined();
    for (const address of ['127.0.0.1', '::1', '10.96.0.1']) expect(certificate.checkIP(address)).toBeDefined();
    expect(statSync(join(folder, 'pki')).mode & 0o777).toBe(0o700);
    for (const file of ['ca.key', 'serving.key', 'service-account.key']) {
      expect(statSync(join(folder, 'pki', file)).mode & 0o777).toBe(0o600);
    }
  });

  test('finds again what it made, and renews only a serving certificate near its end or without a name', async () => {
    const names = servingNames([]);
    const first = await openPki(folder, { now, names });
    expect(await openPki(folder, { now: now + 200 * day, names })).toEqual(first);
    const later = await openPki(folder, { now: now + 300 * day, names });
    expect(later.ca).toEqual(first.ca);
    expect(later.serviceAccountKey).toBe(first.serviceAccountKey);
    expect(later.serving.cert).not.toBe(first.serving.cert);
    const wider = await openPki(folder, { now: now + 300 * day, names: [...names, 'more.example'] });
    expect(new X509Certificate(wider.serving.cert).checkHost('more.example')).toBeDefined();
  });

  test('makes a pair anew whose halves do not belong together', async () => {
    const names = servingNames([]);
    await openPki(folder, { now, names });
    writeFileSync(join(folder, 'serving.key'), (await createAuthority(now)).key);
    const { serving } = await openPki(folder, { now, names });
    expect(new X509Certificate(serving.cert).checkPrivateKey(createPrivateKey(serving.key))).toBe(true);
    expect(readFileSync(join(folder, 'serving.crt'), 'utf8')).toBe(serving.cert);
  });
});

test('a client certificate names its user and groups and serves no server', async () => {
  const ca = await createAuthority(now);
  const { cert } = await issueClientCertificate(ca, { user: 'alice', groups: ['devs', 'ops'], days: 7, now });
  const certificate = new X509Certificate(cert);
  expect(certificate.subject.split('\n')).toEqual(['O=devs', 'O=ops', 'CN=alice']);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(Date.parse(certificate.validTo)).toBe(now + 7 * day);
});

test('a user name that looks like part of a distinguished name stays one name', async () => {
  const ca = await createAuthority(now);
  const { cert } = await issueClientCertificate(ca, { user: 'a, O=system:masters+CN=b', groups: [], days: 7, now });
  const subject = new x509.X509Certificate(cert).subjectName;
  expect(subject.getField('CN')).toEqual(['a, O=system:masters+CN=b']);
  expect(subject.getField('O')).toEqual([]);
});

test('a kubeconfig embeds everything', () => {
  const text = kubeconfig({
    server: 'https://127.0.0.1:1',
    ca: 'CA',
    user: 'alice',
    identity: { cert: 'C', key: 'K' },
    namespace: 'shop',
  });
  expect(text).toContain('client-key-data: Sw==');
  expect(text).toContain('namespace: shop');
});

describe('signing requests', () => {
  const kubelet: SignerName = 'kubernetes.io/kube-apiserver-client-kubelet';
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

  const request = async (name: x509.JsonName): Promise<string> => {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    return (await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm })).toString(
      'pem',
    );
  };

  test("a node's request becomes a client certificate of that node", async () => {
    const ca = await createAuthority(now);
    const pem = await request([{ O: ['system:nodes'] }, { CN: ['system:node:n1'] }]);
    const certificate = new X509Certificate(await signRequest(ca, { pem, signer: kubelet, days: 30, now }));
    expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:n1');
    expect(certificate.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
  });

  test('a request that was changed after it was signed is refused', async () => {
    const ca = await createAuthority(now);
    const der = Buffer.from(
      (await request([{ O: ['system:nodes'] }, { CN: ['system:node:n1'] }])).replaceAll(/-----.*-----|\s/g, ''),
      'base64',
    );
    const at = der.indexOf('system:node:n1');
    der.write('system:node:n2', at);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    await expect(signRequest(ca, { pem, signer: kubelet, days: 30, now })).rejects.toThrow(/signature/);
  });

  test('what is no request is refused', async () => {
    await expect(
      signRequest(await createAuthority(now), { pem: 'nonsense', signer: kubelet, days: 1, now }),
    ).rejects.toMatchObject({ code: 400 });
  });

  test.for<{
    guarantees: string;
    signer: SignerName;
    user: string;
    groups: readonly string[];
    names: readonly string[];
  }>([
    {
      guarantees: 'a node must be in system:nodes alone',
      signer: kubelet,
      user: 'system:node:a',
      groups: ['system:nodes', 'system:masters'],
      names: [],
    },
    { guarantees: 'a node needs a node name', signer: kubelet, user: 'alice', groups: ['system:nodes'], names: [] },
    {
      guarantees: 'a client carries no alternative names',
      signer: kubelet,
      user: 'system:node:a',
      groups: ['system:nodes'],
      names: ['x'],
    },
    {
      guarantees: 'nobody asks for system:masters',
      signer: 'kubernetes.io/kube-apiserver-client',
      user: 'a',
      groups: ['system:masters'],
      names: [],
    },
    {
      guarantees: 'serving needs a name',
      signer: 'kubernetes.io/kubelet-serving',
      user: 'system:node:a',
      groups: ['system:nodes'],
      names: [],
    },
  ])('$guarantees', ({ signer, ...asked }) => {
    expect(signerObjection(signer, asked)).toBeDefined();
  });
});
