/** The first read: every object as of one instant, in pieces, so that the driver never holds them all twice. */
import { Client } from 'pg';
import { unavailable } from '../../api/status.ts';
import { storedIn } from './rows.ts';
import type { ChangeRow, Seal } from './rows.ts';
import type { Stored } from './store.ts';
import type { WatchCache } from './watch-cache.ts';

const piece = 2000;
const pieceMs = 30_000;

/** Fills `cache` from the database at `url`. */
export async function loadSnapshot({
  url,
  cache,
  seal,
}: {
  readonly url: string;
  readonly cache: WatchCache;
  readonly seal: Seal | undefined;
}): Promise<void> {
  const client = new Client({
    connectionString: url,
    application_name: 'gatehouse load',
    connectionTimeoutMillis: 5000,
    query_timeout: pieceMs,
  });
  client.on('error', () => {}); // the statement under way fails with the same error
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    const { rows } = await client.query<{ revision: string; compacted: string }>(
      'select revision, compacted from store_writer',
    );
    const [writer] = rows;
    if (writer === undefined) throw unavailable('the database has no writer row');
    await client.query(
      `declare present no scroll cursor for
       select c.revision, c.resource, c.namespace, c.name, c.body
       from store_objects o join store_changes c on c.revision = o.revision`,
    );
    const objects: Stored[] = [];
    for (;;) {
      const found = await client.query<Omit<ChangeRow, 'kind' | 'previous'>>(`fetch ${piece} from present`);
      for (const row of found.rows) objects.push(storedIn(row, seal));
      if (found.rows.length < piece) break;
    }
    cache.load(objects, BigInt(writer.revision), BigInt(writer.compacted));
    await client.query('commit');
  } finally {
    await client.end();
  }
}
