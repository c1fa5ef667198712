/**
 * The certificate authority of one Gatehouse, made on first start: it signs the gateways' serving certificates and the
 * certificates by which clients prove who they are. Keys are ECDSA P-256, readable by their owner alone.
 */
import 'reflect-metadata'; // what the dependency injection inside @peculiar/x509 stands on
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 24 * 60 * 60 * 1000;
/** Ten years: upstream's tools give a CA the same. */
const caDays = 3650;
const servingDays = 365;

/** A certificate and its key as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** The authority: its own pair. */
export type CertificateAuthority = KeyPair;

export interface Pki {
  readonly ca: CertificateAuthority;
  readonly serving: KeyPair;
  /** PKCS#8 PEM of the key that signs service-account tokens. */
  readonly serviceAccountKey: string;
}

/** What the files in `folder` hold, made where missing; the serving certificate is made anew when it nears its end or misses a name. */
export async function openPki(
  folder: string,
  options: { readonly now: number; readonly names: readonly string[] },
): Promise<Pki> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const ca = readPair(folder, 'ca') ?? writePair(folder, 'ca', await createAuthority(options.now));
  const found = readPair(folder, 'serving');
  const serving =
    found !== undefined && servesUntil(found.cert, options)
      ? found
      : writePair(folder, 'serving', await issueServingCertificate(ca, options));
  const keyFile = join(folder, 'service-account.key');
  if (!existsSync(keyFile)) writeSecret(keyFile, (await newKey()).pem);
  return { ca, serving, serviceAccountKey: readFileSync(keyFile, 'utf8') };
}

/** A new self-signed authority. */
export async function createAuthority(now: number): Promise<CertificateAuthority> {
  const { keys, pem } = await newKey();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: ['gatehouse-ca'] }],
    notBefore: new Date(now - dayMs), // clocks of other machines may run behind
    notAfter: new Date(now + caDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString('pem'), key: pem };
}

/** Names under which every gateway is reached, beside those it is told. `firstServiceIP` is the cluster IP of the service kubernetes. */
export function servingNames(extra: readonly string[], firstServiceIP?: string): readonly string[] {
  const inCluster = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  const here = ['localhost', '127.0.0.1', '::1', hostname()];
  return [...new Set([...here, ...inCluster, ...(firstServiceIP === undefined ? [] : [firstServiceIP]), ...extra])];
}

async function issueServingCertificate(
  ca: CertificateAuthority,
  { now, names }: { readonly now: number; readonly names: readonly string[] },
): Promise<KeyPair> {
  const { keys, pem } = await newKey();
  const cert = await sign(ca, {
    subject: [{ CN: ['gatehouse-gateway'] }],
    publicKey: keys.publicKey,
    purpose: x509.ExtendedKeyUsage.serverAuth,
    names,
    now,
    days: servingDays,
  });
  return { cert, key: pem };
}

/** A client certificate: `user` is its common name, each group an organization. */
export async function issueClientCertificate(
  ca: CertificateAuthority,
  identity: { readonly user: string; readonly groups: readonly string[]; readonly days: number; readonly now: number },
): Promise<KeyPair> {
  const { keys, pem } = await newKey();
  const cert = await sign(ca, {
    subject: subjectOf(identity.user, identity.groups),
    publicKey: keys.publicKey,
    purpose: x509.ExtendedKeyUsage.clientAuth,
    names: [],
    now: identity.now,
    days: identity.days,
  });
  return { cert, key: pem };
}

export interface Signing {
  readonly subject: x509.JsonName;
  readonly publicKey: webcrypto.CryptoKey | x509.PublicKey;
  readonly purpose: x509.ExtendedKeyUsage;
  /** DNS names and IP addresses. */
  readonly names: readonly string[];
  readonly now: number;
  readonly days: number;
}

/** A certificate of `ca`, as PEM. It never outlives the authority. */
export async function sign(ca: CertificateAuthority, signing: Signing): Promise<string> {
  const issuer = new x509.X509Certificate(ca.cert);
  const publicKey = signing.publicKey;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    issuer: issuer.subject,
    subject: signing.subject,
    notBefore: new Date(signing.now - 5 * 60 * 1000),
    notAfter: new Date(Math.min(signing.now + signing.days * dayMs, issuer.notAfter.getTime())),
    publicKey,
    signingKey: await importKey(ca.key),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([signing.purpose]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(signing.names.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(signing.names.map(alternativeName))]),
    ],
  });
  return certificate.toString('pem');
}

/** CN and one O for each group. */
export function subjectOf(user: string, groups: readonly string[]): x509.JsonName {
  return [...groups.map((group) => ({ O: [group] })), { CN: [user] }];
}

function alternativeName(name: string): x509.JsonGeneralName {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

/** Whether `cert` holds all names and at least a fifth of its life is left. */
function servesUntil(
  cert: string,
  { now, names }: { readonly now: number; readonly names: readonly string[] },
): boolean {
  const certificate = new x509.X509Certificate(cert);
  const held =
    certificate
      .getExtension(x509.SubjectAlternativeNameExtension)
      ?.names.toJSON()
      .map(({ value }) => value) ?? [];
  const left = certificate.notAfter.getTime() - now;
  return left > (servingDays * dayMs) / 5 && names.every((name) => held.includes(name) || isIP(name) === 6);
}

/** A new key pair, the private one also as PKCS#8 PEM. */
export async function newKey(): Promise<{ readonly keys: webcrypto.CryptoKeyPair; readonly pem: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { keys, pem: x509.PemConverter.encode(der, 'PRIVATE KEY') };
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  if (der === undefined) throw new Error('the key of the certificate authority is not a PEM');
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

/** 16 random bytes, positive. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function readPair(folder: string, name: string): KeyPair | undefined {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  if (!existsSync(certFile) || !existsSync(keyFile)) return undefined;
  const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  const spki = createPublicKey(pair.key).export({ type: 'spki', format: 'der' });
  const matches = spki.equals(Buffer.from(new x509.X509Certificate(pair.cert).publicKey.rawData));
  // Killed between the two files: the pair was never used by anybody.
  return matches ? pair : undefined;
}

function writePair(folder: string, name: string, pair: KeyPair): KeyPair {
  writeSecret(join(folder, `${name}.key`), pair.key);
  writeSecret(join(folder, `${name}.crt`), pair.cert);
  return pair;
}

/** Writes `text` so that only its owner reads it, and nobody ever sees half of it. */
export function writeSecret(file: string, text: string): void {
  const draft = `${file}.${randomBytes(4).toString('hex')}.tmp`;
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true });
  renameSync(draft, file);
}
