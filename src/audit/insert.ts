/**
 * One statement that inserts any number of audit rows: a parameter per column, each an array over the rows, opened by
 * unnest. Facts and events go in together, so a row is there whole or not at all; a row that is there already is left
 * as it is, which makes sending a batch again after an unknown outcome safe.
 *
 * The arrays go in binary: as text, writing and parsing them cost more than the inserting.
 */
import { boolArray, byteaArray, int8Array, textArray, timestamptzArray } from '../std/postgres-array.ts';
import type { AuditRow, Fact } from './recorder.ts';

/** A prepared statement with its values, as pg takes it: a Buffer is a parameter in binary. */
export interface Statement<Value = unknown> {
  readonly name: string;
  readonly text: string;
  readonly values: Value[];
}

interface Column {
  readonly name: string;
  /** Type of the parameter's elements. */
  readonly type: 'text' | 'int8' | 'bool' | 'timestamptz' | 'bytea';
  readonly array: (rows: readonly AuditRow[]) => Buffer;
  /** What is inserted is the element, cast to this type where it is given. */
  readonly as?: string;
}

const text = (name: string, of: (fact: Fact) => string): Column => ({
  name,
  type: 'text',
  array: (rows) => textArray(rows.map(({ fact }) => withoutNul(of(fact)))),
});
const instant = (name: string, of: (fact: Fact) => number): Column => ({
  name,
  type: 'timestamptz',
  array: (rows) => timestamptzArray(rows.map(({ fact }) => of(fact))),
});
const flag = (name: string, of: (fact: Fact) => boolean): Column => ({
  name,
  type: 'bool',
  array: (rows) => boolArray(rows.map(({ fact }) => of(fact))),
});
const number = (name: string, of: (row: AuditRow) => bigint | undefined): Column => ({
  name,
  type: 'int8',
  array: (rows) => int8Array(rows.map(of)),
});

const identity: readonly Column[] = [
  { name: 'gateway', type: 'text', array: (rows) => textArray(rows.map((row) => withoutNul(row.gateway))) },
  number('epoch', (row) => row.epoch),
  number('sequence', (row) => row.sequence),
  instant('received_at', (fact) => fact.receivedAt),
];

const factColumns: readonly Column[] = [
  ...identity,
  instant('finished_at', (fact) => fact.finishedAt),
  { ...text('audit_id', (fact) => fact.auditID), as: 'uuid' },
  text('stage', (fact) => fact.stage),
  text('level', (fact) => fact.level),
  text('user_name', (fact) => fact.user),
  { ...text('groups', (fact) => arrayLiteral(fact.groups)), as: 'text[]' },
  text('impersonator', (fact) => fact.impersonator),
  text('authenticator', (fact) => fact.authenticator),
  text('verb', (fact) => fact.verb),
  flag('is_resource', (fact) => fact.isResource),
  text('api_group', (fact) => fact.group),
  text('api_version', (fact) => fact.version),
  text('resource', (fact) => fact.resource),
  text('subresource', (fact) => fact.subresource),
  text('namespace', (fact) => fact.namespace),
  text('name', (fact) => fact.name),
  text('request_uri', (fact) => fact.requestURI),
  { ...text('source_ips', (fact) => arrayLiteral(fact.sourceIPs)), as: 'text[]' },
  text('user_agent', (fact) => fact.userAgent),
  text('trace_id', (fact) => fact.traceId),
  flag('allowed', (fact) => fact.allowed),
  text('reason', (fact) => fact.reason),
  text('binding', (fact) => fact.binding),
  { ...number('code', (row) => BigInt(Math.trunc(row.fact.code))), as: 'int2' },
  number('revision', (row) => row.fact.revision),
];

const nothing = Buffer.alloc(0);

const eventColumns: readonly Column[] = [
  ...identity,
  { name: 'event', type: 'bytea', array: (rows) => byteaArray(rows.map((row) => row.event ?? nothing)) },
];

const writes = `WITH facts AS (${insertInto('audit_facts', factColumns, 0)})
${insertInto('audit_events', eventColumns, factColumns.length)}`;

// The setting is local to the statement's own transaction and is read when that commits.
const lazyWrites = `WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
facts AS (${insertInto('audit_facts', factColumns, 0, 'relaxed, ')})
${insertInto('audit_events', eventColumns, factColumns.length)}`;

function insertInto(table: string, columns: readonly Column[], before: number, first = ''): string {
  const names = columns.map((column) => column.name).join(', ');
  const selected = columns.map(({ name, as }) => (as === undefined ? `r.${name}` : `r.${name}::${as}`)).join(', ');
  const parameters = columns.map(({ type }, index) => `$${before + index + 1}::${type}[]`).join(', ');
  return `INSERT INTO ${table} (${names}) SELECT ${selected} FROM ${first}unnest(${parameters}) AS r(${names})
  ON CONFLICT DO NOTHING`;
}

/**
 * The statement that inserts `rows`. With `lazy` its commit does not wait for the disk: a crash of Postgres may lose the
 * last fraction of a second, never a part of a batch.
 */
export function insertStatement(rows: readonly AuditRow[], lazy: boolean): Statement<Buffer> {
  const withEvent = rows.filter((row) => row.event !== undefined);
  return {
    name: lazy ? 'audit_insert_lazy' : 'audit_insert',
    text: lazy ? lazyWrites : writes,
    values: [
      ...factColumns.map((column) => column.array(rows)),
      ...eventColumns.map((column) => column.array(withEvent)),
    ],
  };
}

/** `values` as the text of a text[]. */
function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** A NUL, which text cannot hold, becomes U+FFFD. */
function withoutNul(value: string): string {
  return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
}

/** The audit side of the store's transactions: the rows of changes go in with the changes. */
export function auditCompanion(): { insert(rows: readonly AuditRow[]): Statement<Buffer> } {
  return { insert: (rows) => insertStatement(rows, false) };
}
