/**
 * One statement that inserts any number of audit rows: a parameter per column, each an array over the rows, opened by
 * unnest. Facts and events go in together, so a row is there whole or not at all; a row that is there already is left
 * as it is, which makes sending a batch again after an unknown outcome safe.
 *
 * The array literals are written here and not by pg, which escapes every element of every array with regular expressions.
 */
import type { AuditRow, Fact } from './recorder.ts';

/** A prepared statement with its values, as pg takes it. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

interface Column {
  readonly name: string;
  /** Type of the parameter's elements. */
  readonly type: 'text' | 'int8' | 'bool';
  readonly of: (row: AuditRow) => string;
  /** What is inserted, made of the element; the element itself when left out. */
  readonly as?: (element: string) => string;
}

const instant = (element: string): string => `to_timestamp(${element}::float8 / 1000)`;
const asText = (type: string) => (element: string) => `${element}::${type}`;

const text = (name: string, of: (fact: Fact) => string): Column => ({
  name,
  type: 'text',
  of: (row) => quoted(of(row.fact)),
});

const identity: readonly Column[] = [
  { name: 'gateway', type: 'text', of: (row) => quoted(row.gateway) },
  { name: 'epoch', type: 'int8', of: (row) => row.epoch.toString() },
  { name: 'sequence', type: 'int8', of: (row) => row.sequence.toString() },
  { name: 'received_at', type: 'int8', of: (row) => wholeMs(row.fact.receivedAt), as: instant },
];

const factColumns: readonly Column[] = [
  ...identity,
  { name: 'finished_at', type: 'int8', of: (row) => wholeMs(row.fact.finishedAt), as: instant },
  { name: 'audit_id', type: 'text', of: (row) => quoted(row.fact.auditID), as: asText('uuid') },
  text('stage', (fact) => fact.stage),
  text('level', (fact) => fact.level),
  text('user_name', (fact) => fact.user),
  { name: 'groups', type: 'text', of: (row) => quoted(textArray(row.fact.groups)), as: asText('text[]') },
  text('impersonator', (fact) => fact.impersonator),
  text('authenticator', (fact) => fact.authenticator),
  text('verb', (fact) => fact.verb),
  { name: 'is_resource', type: 'bool', of: (row) => (row.fact.isResource ? 't' : 'f') },
  text('api_group', (fact) => fact.group),
  text('api_version', (fact) => fact.version),
  text('resource', (fact) => fact.resource),
  text('subresource', (fact) => fact.subresource),
  text('namespace', (fact) => fact.namespace),
  text('name', (fact) => fact.name),
  text('request_uri', (fact) => fact.requestURI),
  { name: 'source_ips', type: 'text', of: (row) => quoted(textArray(row.fact.sourceIPs)), as: asText('text[]') },
  text('user_agent', (fact) => fact.userAgent),
  text('trace_id', (fact) => fact.traceId),
  { name: 'allowed', type: 'bool', of: (row) => (row.fact.allowed ? 't' : 'f') },
  text('reason', (fact) => fact.reason),
  text('binding', (fact) => fact.binding),
  { name: 'code', type: 'int8', of: (row) => wholeMs(row.fact.code), as: asText('int2') },
  { name: 'revision', type: 'int8', of: (row) => row.fact.revision?.toString() ?? 'NULL' },
];

const eventColumns: readonly Column[] = [
  ...identity,
  { name: 'event', type: 'text', of: (row) => row.event?.toString('hex') ?? '', as: (e) => `decode(${e}, 'hex')` },
];

const writes = `WITH facts AS (${insertInto('audit_facts', factColumns, 0)})
${insertInto('audit_events', eventColumns, factColumns.length)}`;

// The setting is local to the statement's own transaction and is read when that commits.
const lazyWrites = `WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
facts AS (${insertInto('audit_facts', factColumns, 0, 'relaxed, ')})
${insertInto('audit_events', eventColumns, factColumns.length)}`;

function insertInto(table: string, columns: readonly Column[], before: number, first = ''): string {
  const names = columns.map((column) => column.name).join(', ');
  const selected = columns.map(({ name, as }) => (as === undefined ? `r.${name}` : as(`r.${name}`))).join(', ');
  const parameters = columns.map(({ type }, index) => `$${before + index + 1}::${type}[]`).join(', ');
  return `INSERT INTO ${table} (${names}) SELECT ${selected} FROM ${first}unnest(${parameters}) AS r(${names})
  ON CONFLICT DO NOTHING`;
}

/**
 * The statement that inserts `rows`. With `lazy` its commit does not wait for the disk: a crash of Postgres may lose the
 * last fraction of a second, never a part of a batch.
 */
export function insertStatement(rows: readonly AuditRow[], lazy: boolean): Statement {
  const withEvent = rows.filter((row) => row.event !== undefined);
  return {
    name: lazy ? 'audit_insert_lazy' : 'audit_insert',
    text: lazy ? lazyWrites : writes,
    values: [
      ...factColumns.map((column) => literal(rows, column)),
      ...eventColumns.map((column) => literal(withEvent, column)),
    ],
  };
}

function literal(rows: readonly AuditRow[], column: Column): string {
  let elements = '';
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    if (row !== undefined) elements += i === 0 ? column.of(row) : `,${column.of(row)}`;
  }
  return `{${elements}}`;
}

function textArray(values: readonly string[]): string {
  return `{${values.map((value) => quoted(value)).join(',')}}`;
}

const plain = /^[\w./:@-]+$/;
const isNull = /^null$/i;

/** `value` as an element of an array literal. A NUL, which text cannot hold, becomes U+FFFD. */
function quoted(value: string): string {
  if (plain.test(value) && !isNull.test(value)) return value;
  return `"${value.replaceAll('\0', '\uFFFD').replace(/["\\]/g, '\\$&')}"`;
}

function wholeMs(value: number): string {
  return Math.trunc(value).toString();
}

/** The audit side of the store's transactions: the rows of changes go in with the changes. */
export function auditCompanion(): {
  insert(connection: { query(statement: Statement): Promise<unknown> }, rows: readonly AuditRow[]): Promise<void>;
} {
  return {
    insert: async (connection, rows) => {
      if (rows.length > 0) await connection.query(insertStatement(rows, false));
    },
  };
}
