import { describe, expect, test } from 'vitest';
import type { Grant } from '../../src/api/access.ts';
import { StatusError, unavailable } from '../../src/api/status.ts';
import type { User } from '../../src/api/user.ts';
import { compilePolicy, defaultPolicy } from '../../src/audit/policy.ts';
import type { AuditPolicy } from '../../src/audit/policy.ts';
import { createRecorder } from '../../src/audit/recorder.ts';
import type { AuditRow, Recording, RequestFacts } from '../../src/audit/recorder.ts';

const alice: User = { name: 'alice', uid: 'u1', groups: ['dev', 'system:authenticated'], extra: {} };
const admin: User = { name: 'admin', uid: '', groups: ['system:masters'], extra: {} };
const grant: Grant = {
  bindingKind: 'RoleBinding',
  bindingNamespace: 'shop',
  binding: 'developers',
  roleKind: 'Role',
  role: 'developer',
  rule: 0,
};
const getPod: RequestFacts = {
  verb: 'get',
  requestURI: '/api/v1/namespaces/shop/pods/web',
  isResource: true,
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: 'web',
  sourceIPs: ['10.0.0.9'],
  userAgent: 'kubectl/v1.30',
  traceId: '',
};

const everything = compilePolicy({ rules: [{ level: 'RequestResponse' }] });

function trail(policy: AuditPolicy = defaultPolicy): {
  begin: (facts?: Partial<RequestFacts>) => Recording;
  durable: AuditRow[];
  lazy: AuditRow[];
  clock: { at: number };
  breakDurable: () => void;
} {
  const durable: AuditRow[] = [];
  const lazy: AuditRow[] = [];
  const clock = { at: 1_700_000_000_000 };
  let broken = false;
  const recorder = createRecorder({
    policy,
    gatewayId: 'g1',
    epoch: 7n,
    clock: { now: () => clock.at },
    sink: {
      durable: async (row) => {
        if (broken) throw unavailable('no');
        durable.push(row);
      },
      lazy: (row) => void lazy.push(row),
    },
  });
  return {
    begin: (facts = {}) => recorder.begin({ ...getPod, ...facts }),
    durable,
    lazy,
    clock,
    breakDurable: () => {
      broken = true;
    },
  };
}

function allowed(recording: Recording, user = alice): Recording {
  recording.authenticated(user, 'certificate');
  recording.decided({ allowed: true, reason: 'RBAC: allowed', grant });
  return recording;
}

const eventOf = (row: AuditRow | undefined): Record<string, unknown> =>
  JSON.parse(row?.event?.toString() ?? 'null') as Record<string, unknown>;

describe('a read', () => {
  test('leaves one lazy fact row that says who, what, when and why', async () => {
    const { begin, lazy, durable, clock } = trail();
    const recording = allowed(begin());
    clock.at += 12;
    await recording.finish(200);
    expect(durable).toEqual([]);
    expect(lazy).toHaveLength(1);
    expect(lazy[0]).toMatchObject({
      gateway: 'g1',
      epoch: 7n,
      sequence: 1n,
      event: undefined,
      fact: {
        auditID: recording.auditID,
        stage: 'ResponseComplete',
        user: 'alice',
        authenticator: 'certificate',
        impersonator: '',
        allowed: true,
        reason: 'RBAC: allowed',
        binding: 'RoleBinding shop/developers',
        code: 200,
        receivedAt: 1_700_000_000_000,
        finishedAt: 1_700_000_000_012,
        revision: undefined,
      },
    });
  });

  test('finished twice is recorded once', async () => {
    const { begin, lazy } = trail();
    const recording = allowed(begin());
    await recording.finish(200);
    await recording.finish(500);
    expect(lazy).toHaveLength(1);
  });

  test('that ended in a bug has the stage Panic', async () => {
    const { begin, lazy } = trail();
    const recording = allowed(begin());
    recording.panicked();
    await recording.finish(500);
    expect(lazy[0]?.fact).toMatchObject({ stage: 'Panic', code: 500 });
  });
});

interface Row {
  readonly guarantees: string;
  readonly facts?: Partial<RequestFacts>;
  readonly code?: number;
  readonly prepare?: (recording: Recording) => void;
  readonly durable: boolean;
}

test.for<Row>([
  { guarantees: 'an allowed read is lazy', durable: false },
  { guarantees: 'a failed change that was allowed is lazy', facts: { verb: 'create' }, code: 409, durable: false },
  {
    guarantees: 'a denial is durable',
    code: 403,
    prepare: (r) => r.decided({ allowed: false, reason: 'no rule' }),
    durable: true,
  },
  { guarantees: 'a refusal by admission is durable', code: 403, durable: true },
  { guarantees: 'reading one secret is durable', facts: { resource: 'secrets' }, durable: true },
  { guarantees: 'listing secrets is durable', facts: { resource: 'secrets', verb: 'list', name: '' }, durable: true },
  {
    guarantees: 'secrets of another group are not secrets',
    facts: { group: 'x.io', resource: 'secrets' },
    durable: false,
  },
  {
    guarantees: 'a token request is durable',
    facts: { verb: 'create', resource: 'serviceaccounts', subresource: 'token' },
    durable: true,
  },
  { guarantees: 'a service account is no token request', facts: { resource: 'serviceaccounts' }, durable: false },
  {
    guarantees: 'a token review is durable',
    facts: { group: 'authentication.k8s.io', resource: 'tokenreviews', verb: 'create' },
    durable: true,
  },
  { guarantees: 'exec is durable', facts: { verb: 'create', subresource: 'exec' }, durable: true },
  { guarantees: 'a log read is lazy', facts: { subresource: 'log' }, durable: false },
  { guarantees: 'an impersonated read is durable', prepare: (r) => r.impersonated(alice), durable: true },
])('$guarantees', async ({ facts, code = 200, prepare, durable }) => {
  const sink = trail();
  const recording = allowed(sink.begin(facts), admin);
  prepare?.(recording);
  await recording.finish(code);
  expect([sink.durable.length, sink.lazy.length]).toEqual(durable ? [1, 0] : [0, 1]);
});

test('a request that nobody authenticated is recorded as refused, with no user', async () => {
  const { begin, durable } = trail();
  await begin().finish(401);
  expect(durable[0]?.fact).toMatchObject({ user: '', allowed: false, code: 401 });
});

test('an impersonated request names both: the user it ran as and who really asked', async () => {
  const { begin, durable } = trail(everything);
  const recording = begin();
  recording.authenticated(admin, 'certificate');
  recording.impersonated(alice);
  recording.decided({ allowed: true, reason: '', grant });
  await recording.finish(200);
  expect(durable[0]?.fact).toMatchObject({ user: 'alice', impersonator: 'admin' });
  expect(eventOf(durable[0])).toMatchObject({
    user: { username: 'admin' },
    impersonatedUser: { username: 'alice', uid: 'u1' },
  });
});

test('the level follows who really asks, not whom they impersonate', async () => {
  const { begin, durable } = trail(
    compilePolicy({ rules: [{ level: 'None', users: ['alice'] }, { level: 'Metadata' }] }),
  );
  const recording = allowed(begin(), admin);
  recording.impersonated(alice);
  await recording.finish(200);
  expect(durable[0]?.fact.level).toBe('Metadata');
});

test('finish throws when a record that must be durable cannot be kept', async () => {
  const { begin, breakDurable } = trail();
  breakDurable();
  const recording = allowed(begin({ resource: 'secrets' }));
  await expect(recording.finish(200)).rejects.toThrow(StatusError);
});

describe('a change', () => {
  const create = { verb: 'create', name: '' };

  test('hands its rows over for its own transaction, and finish adds nothing', async () => {
    const { begin, lazy, durable } = trail();
    const recording = allowed(begin(create));
    const rows = recording.changeRows(201, 42n);
    await recording.finish(201);
    expect(rows).toMatchObject([{ sequence: 1n, fact: { code: 201, revision: 42n } }]);
    expect([...lazy, ...durable]).toEqual([]);
  });

  test('that failed is void: what is answered instead takes its number', async () => {
    const { begin, lazy } = trail();
    const recording = allowed(begin(create));
    recording.changeRows(201, 42n);
    recording.changeFailed();
    await recording.finish(409);
    expect(lazy).toMatchObject([{ sequence: 1n, fact: { code: 409, revision: undefined } }]);
  });

  test('asked for again with the same revision keeps its number', () => {
    const recording = allowed(trail().begin(create));
    const [first] = recording.changeRows(201, 42n);
    const [again] = recording.changeRows(201, 42n);
    expect(again?.sequence).toBe(first?.sequence);
  });

  test('of a collection has a row for each object', async () => {
    const { begin, lazy } = trail();
    const recording = allowed(begin({ verb: 'deletecollection', name: '' }));
    const rows = [recording.changeRows(200, 5n), recording.changeRows(200, 6n)].flat();
    await recording.finish(200);
    expect(rows.map((row) => [row.sequence, row.fact.revision])).toEqual([
      [1n, 5n],
      [2n, 6n],
    ]);
    expect(lazy).toEqual([]);
  });

  test('answered with another code than recorded is recorded again as answered', async () => {
    const { begin, lazy } = trail();
    const recording = allowed(begin(create));
    recording.changeRows(201, 42n);
    await recording.finish(500);
    expect(lazy).toMatchObject([{ sequence: 2n, fact: { code: 500, revision: undefined } }]);
  });
});

describe('a request that goes on', () => {
  test('into a pod is durable before it acts', async () => {
    const { begin, durable } = trail();
    await allowed(begin({ verb: 'create', subresource: 'exec' })).started(101);
    expect(durable).toMatchObject([{ fact: { stage: 'ResponseStarted', code: 101 } }]);
    expect(eventOf(durable[0])).toMatchObject({ stage: 'ResponseStarted', responseStatus: { code: 101 } });
  });

  test('such as a watch has no row of its start under the default policy', async () => {
    const { begin, durable, lazy } = trail();
    await allowed(begin({ verb: 'watch', name: '' })).started(200);
    expect([...lazy, ...durable]).toEqual([]);
  });
});

describe('the event', () => {
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', managedFields: [{}] } };

  test('of level RequestResponse holds both bodies, the decision and the answer, as canonical bytes', async () => {
    const { begin, lazy } = trail(everything);
    const recording = allowed(begin());
    recording.requestObject(body);
    recording.responseObject({
      kind: 'Status',
      status: 'Failure',
      reason: 'NotFound',
      message: 'pods "web" not found',
    });
    recording.annotate('example.io/note', 'seen');
    await recording.finish(404);
    const event = eventOf(lazy.at(-1));
    expect(event).toMatchObject({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'RequestResponse',
      auditID: recording.auditID,
      stage: 'ResponseComplete',
      verb: 'get',
      user: { username: 'alice', groups: ['dev', 'system:authenticated'] },
      sourceIPs: ['10.0.0.9'],
      objectRef: { resource: 'pods', namespace: 'shop', name: 'web', apiVersion: 'v1' },
      responseStatus: { code: 404, reason: 'NotFound', status: 'Failure' },
      requestObject: body,
      requestReceivedTimestamp: '2023-11-14T22:13:20.000000Z',
      annotations: {
        'authorization.k8s.io/decision': 'allow',
        'authorization.k8s.io/reason': 'RBAC: allowed',
        'audit.gatehouse.dev/binding': 'RoleBinding shop/developers',
        'example.io/note': 'seen',
      },
    });
    const names = Object.keys(event);
    expect(names).toEqual(names.toSorted());
  });

  test('of stage RequestReceived comes first and has neither answer nor bodies', async () => {
    const { begin, lazy } = trail(everything);
    const recording = allowed(begin());
    await recording.finish(200);
    expect(lazy.map((row) => [row.sequence, row.fact.stage])).toEqual([
      [1n, 'RequestReceived'],
      [2n, 'ResponseComplete'],
    ]);
    expect(eventOf(lazy[0])).not.toHaveProperty('responseStatus');
  });

  test('of level Metadata holds no body', async () => {
    const { begin, durable } = trail();
    const recording = allowed(begin({ resource: 'secrets', verb: 'update' }));
    recording.requestObject({ kind: 'Secret', data: { a: 'b' } });
    await recording.finish(409);
    expect(eventOf(durable[0])).toMatchObject({ level: 'Metadata' });
    expect(eventOf(durable[0])).not.toHaveProperty('requestObject');
  });

  test('leaves managedFields out where the policy says so', async () => {
    const { begin, lazy } = trail(compilePolicy({ rules: [{ level: 'Request', omitManagedFields: true }] }));
    const recording = allowed(begin());
    recording.requestObject(body);
    await recording.finish(200);
    expect(eventOf(lazy.at(-1))['requestObject']).toEqual({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } });
  });

  test('too large for a row loses its bodies and says so', async () => {
    const { begin, lazy } = trail(compilePolicy({ rules: [{ level: 'Request' }] }));
    const recording = allowed(begin());
    recording.requestObject({ blob: 'x'.repeat(2_000_000) });
    await recording.finish(200);
    expect(eventOf(lazy.at(-1))['annotations']).toMatchObject({ 'audit.k8s.io/truncated': 'true' });
    expect(lazy.at(-1)?.event?.length).toBeLessThan(2000);
  });
});

test('a token in the query never reaches fact or event', async () => {
  const { begin, lazy } = trail(everything);
  await allowed(begin({ requestURI: '/api/v1/pods?token=s3cr3t&watch=1', userAgent: 'x Bearer s3cr3t.abcdef' })).finish(
    200,
  );
  const seen = lazy.map((row) => `${row.fact.requestURI} ${row.fact.userAgent} ${row.event?.toString()}`).join();
  expect(seen).not.toContain('s3cr3t');
  expect(seen).toContain('watch=1');
});
