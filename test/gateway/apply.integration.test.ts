/** Server-side apply as kubectl does it, through a listening gateway. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtinKinds } from '../../src/api/schema/kinds.ts';
import { openApiOf } from '../../src/app/openapi.ts';
import type { KeyPair } from '../../src/gateway/pki.ts';
import { at, listOf } from '../../src/std/value.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { needs } from '../support/needs.ts';

let lab: TestGateway;
let admin: KeyPair;
let config: string;
let folder: string;

beforeAll(async () => {
  lab = await startTestGateway({ deps: { openapi: openApiOf(builtinKinds) } });
  admin = await lab.issue('admin', ['system:masters']);
  config = await lab.kubeconfigFor('admin', ['system:masters']);
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-apply-'));
  await send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
});
afterAll(async () => {
  await lab.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly code: number;
  readonly body: unknown;
}

async function send(
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const url = new URL(path, lab.gateway.url);
    const options = {
      method,
      ...admin,
      ca: lab.pki.ca.cert,
      headers: { 'content-type': 'application/json', 'user-agent': 'tester/1.0 (linux)', ...headers },
    };
    const sent = request(url, options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body: JSON.parse(text) as unknown }));
    });
    sent.on('error', reject);
    sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

const maps = '/api/v1/namespaces/shop/configmaps';
const yaml = { 'content-type': 'application/apply-patch+yaml' };
const manifest = (name: string, data: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata: ${data}\n`;

describe('requests', () => {
  test('an apply creates with 201 and changes with 200', async () => {
    const first = await send('PATCH', `${maps}/codes?fieldManager=me`, manifest('codes', '{a: "1"}'), yaml);
    const second = await send('PATCH', `${maps}/codes?fieldManager=me`, manifest('codes', '{a: "2"}'), yaml);
    expect([first.code, second.code]).toEqual([201, 200]);
    expect(at(second.body, 'data')).toEqual({ a: '2' });
  });

  test('a client that names no manager is known by its User-Agent up to the slash', async () => {
    const made = await send('POST', maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'agent' } });
    const changed = await send(
      'PATCH',
      `${maps}/agent`,
      { data: { a: '1' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(at(made.body, 'metadata', 'managedFields')).toBeUndefined(); // nothing but a name, which nobody owns
    expect(at(changed.body, 'metadata', 'managedFields')).toBeUndefined(); // not tracked from the start: not tracked
    const named = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'agent-2' }, data: { a: '1' } };
    const tracked = await send('POST', maps, named);
    expect(at(tracked.body, 'metadata', 'managedFields', 0, 'manager')).toBe('tester');
  });

  test.for<{ guarantees: string; query: string; headers?: Record<string, string>; says: string }>([
    {
      guarantees: 'an apply says who applies',
      query: '',
      says: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    },
    {
      guarantees: 'a manager has at most 128 bytes',
      query: `?fieldManager=${'x'.repeat(129)}`,
      says: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
    },
    {
      guarantees: 'a manager is printable',
      query: '?fieldManager=a%07b',
      says: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\u0007b": invalid character U+0007 (at position 1)',
    },
    {
      guarantees: 'only an apply can force',
      query: '?force=true',
      headers: { 'content-type': 'application/merge-patch+json' },
      says: 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    },
  ])('$guarantees', async ({ query, headers = yaml, says }) => {
    const { code, body } = await send('PATCH', `${maps}/x${query}`, '{}', headers);
    expect(code).toBe(422);
    expect(at(body, 'message')).toBe(says);
  });

  test('a conflict is a 409 whose causes name the fields', async () => {
    await send('PATCH', `${maps}/fight?fieldManager=one`, manifest('fight', '{a: "1"}'), yaml);
    const { code, body } = await send('PATCH', `${maps}/fight?fieldManager=two`, manifest('fight', '{a: "2"}'), yaml);
    expect([code, at(body, 'reason'), at(body, 'details', 'causes')]).toEqual([
      409,
      'Conflict',
      [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' }],
    ]);
  });
});

/** kubectl on PATH, and the other versions that lie beside it (`kubectl.1.27`). */
function versions(): readonly string[] {
  const first = (process.env['PATH'] ?? '').split(delimiter).find((place) => readable(place).includes('kubectl'));
  if (first === undefined) return [];
  const real = process.env['KUBECTL_DIR'] ?? dirname(realpathSync(join(first, 'kubectl')));
  const others = readable(real).filter((name) => /^kubectl\.1\.\d+$/.test(name));
  return ['kubectl', ...others.map((name) => join(real, name))];
}

function readable(place: string): readonly string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(program: string, ...args: readonly string[]): Promise<Said> {
  const all = ['--kubeconfig', config, '--cache-dir', join(folder, 'cache'), '-n', 'shop', ...args];
  return await new Promise((resolve) => {
    execFile(program, all, { timeout: 60_000 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

const isHere = needs('server-side apply by kubectl', ['kubectl'], 'apt-get install kubernetes-client');
const programs = isHere ? versions() : [];

describe.each(programs.map((program) => ({ program, version: program.split('/').at(-1) ?? '' })))(
  '$version',
  ({ program, version }) => {
    const name = version.replaceAll('.', '-');
    const file = (text: string): string => {
      const path = join(folder, `${name}.yaml`);
      writeFileSync(path, text);
      return path;
    };
    const apply = async (text: string, ...more: readonly string[]): Promise<Said> =>
      await run(program, 'apply', '--server-side', '-f', file(text), ...more);
    const managers = async (): Promise<readonly unknown[]> => {
      const { body } = await send('GET', `${maps}/${name}`, '');
      const entries = listOf(at(body, 'metadata', 'managedFields'));
      return entries.map((entry) => `${String(at(entry, 'manager'))} ${String(at(entry, 'operation'))}`);
    };

    test('applies, conflicts, forces, and goes over from client-side apply', async () => {
      const done = { code: 0, out: `configmap/${name} serverside-applied\n`, err: '' };
      expect(await apply(manifest(name, '{a: "1"}'))).toEqual(done);
      expect(await apply(manifest(name, '{a: "1", b: "1"}'))).toEqual(done);
      const refused = await apply(manifest(name, '{a: "2"}'), '--field-manager=other');
      expect(refused.code).toBe(1);
      expect(refused.err).toContain('Apply failed with 1 conflict: conflict with "kubectl": .data.a');
      expect(await apply(manifest(name, '{a: "2"}'), '--field-manager=other', '--force-conflicts')).toEqual(done);
      expect(await managers()).toEqual(['kubectl Apply', 'other Apply']);
      const deleted = await run(program, 'delete', 'configmap', name);
      expect(deleted.code).toBe(0);
      const client = await run(program, 'apply', '-f', file(manifest(name, '{a: "1", b: "1"}')));
      expect([client.code, client.err]).toEqual([0, '']);
      expect(await managers()).toEqual(['kubectl-client-side-apply Update']);
      const over = await apply(manifest(name, '{a: "2"}'));
      expect([over.code, over.err]).toEqual([0, '']);
      const { body } = await send('GET', `${maps}/${name}`, '');
      expect(at(body, 'data', 'a')).toBe('2');
      expect((await managers())[0]).toBe('kubectl Apply');
    }, 120_000);
  },
);

describe.runIf(isHere)('kubectl shows', () => {
  test('managers only when asked', async () => {
    await send('PATCH', `${maps}/shown?fieldManager=me`, manifest('shown', '{a: "1"}'), yaml);
    const plain = await run('kubectl', 'get', 'configmap', 'shown', '-o', 'json');
    const whole = await run('kubectl', 'get', 'configmap', 'shown', '-o', 'json', '--show-managed-fields');
    expect(at(JSON.parse(plain.out), 'metadata', 'managedFields')).toBeUndefined();
    expect(at(JSON.parse(whole.out), 'metadata', 'managedFields', 0, 'manager')).toBe('me');
  }, 60_000);

  test('what would be applied, and keeps nothing', async () => {
    const path = join(folder, 'dry.yaml');
    writeFileSync(path, manifest('dry', '{a: "1"}'));
    const said = await run('kubectl', 'apply', '--server-side', '--dry-run=server', '-f', path);
    expect(said).toEqual({ code: 0, out: 'configmap/dry serverside-applied (server dry run)\n', err: '' });
    expect((await send('GET', `${maps}/dry`, '')).code).toBe(404);
  }, 60_000);
});
