import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  boolArray,
  byteaArray,
  int2Array,
  int8Array,
  textArray,
  timestamptzArray,
} from '../../src/std/postgres-array.ts';
import { startTestPostgres } from '../support/postgres.ts';
import type { TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let client: Client;

beforeAll(async () => {
  postgres = await startTestPostgres();
  client = new Client({ connectionString: await postgres.createDatabase() });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await postgres.stop();
});

interface Row {
  readonly type: string;
  readonly sent: Buffer;
  /** What Postgres makes of it, as text of each element. */
  readonly got: readonly (string | null)[];
}

test.for<Row>([
  {
    type: 'text',
    sent: textArray(['', 'a,b', '{"\\}', 'NULL', 'žluťoučký 🐎', 'half \ud800']),
    got: ['', 'a,b', '{"\\}', 'NULL', 'žluťoučký 🐎', 'half \ufffd'],
  },
  { type: 'bytea', sent: byteaArray([Buffer.alloc(0), Buffer.from([0, 92, 255])]), got: ['\\x', '\\x005cff'] },
  { type: 'int8', sent: int8Array([-(2n ** 63n), undefined, 7n]), got: ['-9223372036854775808', null, '7'] },
  { type: 'int2', sent: int2Array([-32_768, 0, 32_767]), got: ['-32768', '0', '32767'] },
  { type: 'bool', sent: boolArray([true, false]), got: ['true', 'false'] },
  {
    type: 'timestamptz',
    sent: timestamptzArray([0, Date.UTC(2026, 0, 2, 3, 4, 5, 678)]),
    got: ['1970-01-01 00:00:00+00', '2026-01-02 03:04:05.678+00'],
  },
  { type: 'text', sent: textArray([]), got: [] },
])('$type[] arrives as it was: $got', async ({ type, sent, got }) => {
  await client.query(`set timezone = 'UTC'`);
  const { rows } = await client.query<{ value: string | null }>(
    `select value::text from unnest($1::${type}[]) with ordinality as u (value, n) order by n`,
    [sent],
  );
  expect(rows.map((row) => row.value)).toEqual(got);
});

test('a NUL in text is refused by the database, with an error of its own', async () => {
  await expect(client.query('select $1::text[]', [textArray(['a\0b'])])).rejects.toMatchObject({ code: '22021' });
});
