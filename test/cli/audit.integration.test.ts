/** `gatehouse audit` against an HTTPS server that answers as the gateway's route does. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { notFound, StatusError, toStatus } from '../../src/api/status.ts';
import type { AuditFilter, AuditQuery } from '../../src/audit/query.ts';
import { toDetail, toList } from '../../src/audit/record.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { auditCommand } from '../../src/cli/audit.ts';
import { auditHandler } from '../../src/gateway/routes/audit.ts';

const record = (sequence: number): AuditRecord => ({
  apiVersion: 'audit.gatehouse.dev/v1',
  kind: 'AuditRecord',
  metadata: { name: `id-${sequence}`, creationTimestamp: '2026-01-31T12:00:00Z' },
  stage: 'ResponseComplete',
  level: 'None',
  receivedAt: '2026-01-31T12:00:00.000000Z',
  finishedAt: '2026-01-31T12:00:00.001000Z',
  user: 'alice',
  groups: ['dev'],
  impersonator: '',
  authenticator: 'certificate',
  verb: 'list',
  group: '',
  version: 'v1',
  resource: 'secrets',
  subresource: '',
  namespace: 'shop',
  name: '',
  requestURI: '/api/v1/namespaces/shop/secrets',
  sourceIPs: [],
  userAgent: '',
  traceId: '',
  decision: 'forbid',
  reason: '',
  binding: '',
  code: 403,
  revision: '',
  gateway: 'g',
  epoch: '1',
  sequence: String(sequence),
});

let asked: AuditFilter[] = [];
const trail: AuditQuery = {
  list: async (filter, page) => {
    asked.push(filter);
    const from = page.continue === '' ? 0 : Number(page.continue);
    const items = Array.from({ length: page.limit }, (_, i) => record(from + i));
    return toList(items, String(from + page.limit));
  },
  get: async (id) => {
    if (id !== 'id-1') throw notFound({ group: 'audit.gatehouse.dev', resource: 'events' }, id);
    return toDetail(id, [record(1)], [{ kind: 'Event' }]);
  },
  follow: async function* () {
    yield { kind: 'bookmark', cursor: '1.-1' };
    yield { kind: 'record', record: record(1), cursor: '1.1' };
    throw new StatusError('Forbidden', 'that was all');
  },
};

let server: Server;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-cli-'));
  const [cert, key] = [fixture('server.pem'), fixture('server.key.pem')];
  const handle = auditHandler(trail);
  server = createServer({ cert, key }, (request, response) => {
    const url = new URL(request.url ?? '', 'https://x');
    const pathName = decodeURIComponent(url.pathname.split('/')[5] ?? '');
    const watch = url.searchParams.get('watch') === 'true';
    const verb = pathName === '' ? (watch ? 'watch' : 'list') : 'get';
    const answer = async (): Promise<void> => {
      const found = await handle(
        { inbound: { signal: new AbortController().signal } },
        { verb, pathName, query: url.searchParams },
      );
      response.writeHead(found.code, { 'content-type': found.contentType });
      if (found.kind === 'whole') response.end(found.body);
      else {
        for await (const line of found.frames) response.write(line);
        response.end();
      }
    };
    answer().catch((error: unknown) => {
      const status = error instanceof StatusError ? toStatus(error) : { code: 500 };
      response.writeHead(status.code ?? 500).end(JSON.stringify(status));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const kubeconfig = (ca: string): string =>
    stringify({
      'current-context': 'x',
      contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      clusters: [
        {
          name: 'x',
          cluster: {
            server: `https://127.0.0.1:${port}`,
            'certificate-authority-data': Buffer.from(ca).toString('base64'),
          },
        },
      ],
      users: [{ name: 'x', user: { token: 't' } }],
    });
  writeFileSync(join(folder, 'good'), kubeconfig(cert));
  writeFileSync(join(folder, 'stranger'), kubeconfig(fixture('stranger.pem')));
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

/** Made for this test alone, valid for 127.0.0.1 and a century: they guard nothing. */
function fixture(name: string): string {
  return readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
}

/** Runs the command as `gatehouse audit ARGS…` would. */
async function gatehouse(...args: readonly string[]): Promise<{ out: string; err: string; code: number }> {
  const out: string[] = [];
  const err: string[] = [];
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await auditCommand(
      (line) => out.push(line),
      (line) => err.push(line),
    ).parseAsync(['node', 'audit', ...args]);
    return { out: out.join('\n'), err: err.join('\n'), code: process.exitCode };
  } finally {
    process.exitCode = before;
  }
}

const at = (file = 'good'): readonly string[] => ['--kubeconfig', join(folder, file)];

describe('list', () => {
  test('fetches as many pages as the limit needs', async () => {
    const { out } = await gatehouse('list', ...at(), '--limit', '1200', '-o', 'name');
    expect(out.split('\n')).toHaveLength(1200);
    expect(new Set(out.split('\n')).size).toBe(1200);
  });

  test('hands every filter over', async () => {
    asked = [];
    const filters = [
      '--user',
      'alice',
      '--verb',
      'list',
      '--resource',
      'deployments.apps/scale',
      '-n',
      'shop',
      '--name',
      'web',
    ];
    await gatehouse('list', ...at(), ...filters, '--denied', '--since', '2026-01-31T12:00:00Z', '--limit', '1');
    expect(asked).toEqual([
      {
        user: 'alice',
        verb: 'list',
        group: 'apps',
        resource: 'deployments',
        subresource: 'scale',
        namespace: 'shop',
        name: 'web',
        denied: true,
        since: Date.UTC(2026, 0, 31, 12),
      },
    ]);
  });

  test('prints a table with who, what and where', async () => {
    const { out } = await gatehouse('list', ...at(), '--limit', '1');
    expect(out).toMatch(
      /^TIME +USER +VERB +RESOURCE +NAMESPACE .*\n2026-01-31T12:00:00Z +alice +list +secrets +shop +403 +id-0$/s,
    );
  });

  test('does not trust a server that another authority signed', async () => {
    const { err, code } = await gatehouse('list', ...at('stranger'));
    expect(err).toMatch(/cannot reach https:\/\/127\.0\.0\.1:\d+: its certificate/);
    expect(code).toBe(1);
  });

  test('says in one line that there is no kubeconfig', async () => {
    const { err, code } = await gatehouse('list', ...at('missing'));
    expect(err).toMatch(/^gatehouse audit list: cannot read the kubeconfig [^\n]+$/);
    expect(code).toBe(2);
  });
});

test('show prints rows and events; an unknown id is exit code 1', async () => {
  const { out } = await gatehouse('show', 'id-1', ...at(), '-o', 'json');
  expect(JSON.parse(out)).toMatchObject({ records: [{ user: 'alice' }], events: [{ kind: 'Event' }] });
  expect(await gatehouse('show', 'x', ...at())).toMatchObject({
    code: 1,
    err: 'gatehouse audit show: Error from server (NotFound): events.audit.gatehouse.dev "x" not found',
  });
});

describe('eval', () => {
  const cases = JSON.parse(
    readFileSync(join(import.meta.dirname, '../conformance/audit/policy-cases.json'), 'utf8'),
  ) as {
    cases: readonly { policy: object; request: unknown; expect: object }[];
  };

  test('answers each request, without a server', async () => {
    const [first] = cases.cases;
    if (first === undefined) throw new Error('no cases');
    writeFileSync(
      join(folder, 'policy'),
      stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', ...first.policy }),
    );
    writeFileSync(join(folder, 'requests'), JSON.stringify([first.request]));
    const { out, code } = await gatehouse(
      'eval',
      '--policy',
      join(folder, 'policy'),
      '--requests',
      join(folder, 'requests'),
      '-o',
      'json',
    );
    expect(JSON.parse(out)).toEqual([first.expect]);
    expect(code).toBe(0);
  });

  test('an invalid policy is exit code 2 and one line', async () => {
    writeFileSync(join(folder, 'bad'), 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Full\n');
    const { out, err, code } = await gatehouse(
      'eval',
      '--policy',
      join(folder, 'bad'),
      '--requests',
      join(folder, 'requests'),
    );
    expect({ out, err, code }).toEqual({
      out: '',
      err: 'gatehouse audit eval: audit policy: rules[0].level: must be one of None, Metadata, Request, RequestResponse',
      code: 2,
    });
  });
});
