/** Holds what clients were told against what the database and the API say. Every list is of what is wrong, and so empty. */
import { Client } from 'pg';
import { at, listOf } from '../../src/std/value.ts';
import type { Caller } from './caller.ts';
import { givenBy } from './crash-writers.ts';
import type { Told } from './crash-writers.ts';

/** What was found wrong; texts that name the object or revision. */
export interface Findings {
  /** Acknowledged, and not in the store, or not as acknowledged. */
  readonly lost: readonly string[];
  /** Changes without exactly one fact row that names their resource. */
  readonly unrecorded: readonly string[];
  /** Fact rows of changes that are not there. */
  readonly orphans: readonly string[];
  /** Refused as not written, and written. */
  readonly lies: readonly string[];
  /** Present objects whose change is missing or of another object. */
  readonly dangling: readonly string[];
  /** Services that share an address or node port, have another one than they were given, or do not hold it. */
  readonly addresses: readonly string[];
}

const kinds = { added: 0, modified: 1, deleted: 2 } as const;

// Each is one statement, hence one snapshot: it may run while others write.
const unrecordedSql = `
select c.revision::text as revision, c.resource, c.name,
       coalesce(string_agg(f.verb || ' ' || f.resource, ', '), 'nothing') as found
from store_changes c left join audit_facts f on f.revision = c.revision
where c.revision > $1
group by c.revision, c.resource, c.name
having count(f.revision) <> 1
    or bool_or(c.resource <> f.resource || case when f.api_group = '' then '' else '.' || f.api_group end)`;

const orphansSql = `
select f.revision::text as revision, f.verb, f.resource, f.name from audit_facts f
where f.revision > $1 and not exists (select from store_changes c where c.revision = f.revision)`;

const danglingSql = `
select o.resource, o.namespace, o.name, o.revision::text as revision from store_objects o
where not exists (
  select from store_changes c where c.revision = o.revision and c.kind <> 2
    and (c.resource, c.namespace, c.name) = (o.resource, o.namespace, o.name)
)`;

const lostSql = `
select t.resource, t.name, t.kind, t.revision::text as revision
from unnest($1::text[], $2::text[], $3::int[], $4::int8[]) as t (resource, name, kind, revision)
where not exists (
  select from store_changes c where c.resource = t.resource and c.name = t.name and c.kind = t.kind
    and c.namespace = 'default' and (t.revision is null or c.revision = t.revision)
)`;

const heldSql = `
select name from store_objects where resource in ('ipaddresses.networking.k8s.io', 'nodeports.internal.gatehouse.dev')`;

const liesSql = `
select t.resource, t.name from unnest($1::text[], $2::text[]) as t (resource, name)
where exists (select from store_changes c where c.resource = t.resource and c.name = t.name and c.kind = 0)`;

/**
 * Looks at all changes after `since`, and at everything in `told`. Changes may not be older than the store's history
 * (5 minutes): what only history needs is deleted then. Also answers up to which revision it has looked.
 */
export async function verify(
  databaseUrl: string,
  { told, caller, since }: { readonly told: Told; readonly caller: Caller; readonly since: bigint },
): Promise<Findings & { readonly head: bigint; readonly changes: number }> {
  const client = new Client({ connectionString: databaseUrl, query_timeout: 30_000 });
  client.on('error', () => {}); // the statement under way fails with the same error
  await client.connect();
  try {
    const ask = async (sql: string, values: unknown[] = []): Promise<readonly string[]> =>
      (await client.query<Record<string, unknown>>(sql, values)).rows.map((row) => JSON.stringify(row));
    const { rows } = await client.query<{ head: string; changes: string }>(
      `select max(revision) as head, count(*) filter (where revision > $1) as changes from store_changes`,
      [since.toString()],
    );
    const { acknowledged, refused } = told;
    const held = (await client.query<{ name: string }>(heldSql)).rows.map(({ name }) => name);
    const lost = await ask(lostSql, [
      acknowledged.map(({ resource }) => resource),
      acknowledged.map(({ name }) => name),
      acknowledged.map(({ kind }) => kinds[kind]),
      acknowledged.map(({ revision }) => revision?.toString() ?? null),
    ]);
    return {
      head: BigInt(rows[0]?.head ?? since),
      changes: Number(rows[0]?.changes ?? 0),
      lost: [...lost, ...(await notAsTold(told, caller))],
      unrecorded: await ask(unrecordedSql, [since.toString()]),
      orphans: await ask(orphansSql, [since.toString()]),
      dangling: await ask(danglingSql),
      addresses: await addressFaults(told, caller, new Set(held)),
      lies: await ask(liesSql, [refused.map(({ resource }) => resource), refused.map(({ name }) => name)]),
    };
  } finally {
    await client.end();
  }
}

/** Objects that the API shows otherwise than it may. */
async function notAsTold({ expected }: Told, caller: Caller): Promise<readonly string[]> {
  const wrong: string[] = [];
  const look = async ({ path, values, mayBeGone, mayExist }: Told['expected'][number]): Promise<void> => {
    const { code, body } = await caller.call('GET', path);
    if (code === 404 && mayBeGone) return;
    const n = (body as { readonly metadata?: { readonly annotations?: { readonly n?: string } } } | undefined)?.metadata
      ?.annotations?.n;
    if (code === 200 && mayExist && values.includes(n ?? '')) return;
    wrong.push(`${path}: ${code}, n=${n ?? 'none'}, expected ${values.join(' or ') || 'none'}`);
  };
  const queue = [...expected];
  const worker = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) await look(next);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return wrong;
}

/** What is wrong with the addresses and node ports of all services, against what each was told and what `held` holds. */
async function addressFaults({ given }: Told, caller: Caller, held: ReadonlySet<string>): Promise<readonly string[]> {
  const { code, body } = await caller.call('GET', '/api/v1/services');
  if (code !== 200) return [`services cannot be listed: ${code}`];
  const holders = new Map<string, string>();
  const wrong: string[] = [];
  for (const service of listOf(at(body, 'items'))) {
    const name = String(at(service, 'metadata', 'name'));
    const has = givenBy(service);
    const was = given.get(name) ?? has;
    if (was.address !== has.address || was.port !== has.port) {
      wrong.push(`${name} was given ${JSON.stringify(was)} and has ${JSON.stringify(has)}`);
    }
    for (const number of [has.address, ...(has.port === 0 ? [] : [String(has.port)])]) {
      const other = holders.get(number);
      if (other !== undefined) wrong.push(`${name} and ${other} share ${number}`);
      if (!held.has(number)) wrong.push(`${name} has ${number}, which is not held`);
      holders.set(number, name);
    }
  }
  return wrong;
}
