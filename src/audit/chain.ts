/** Where a gateway's chain of rows begins: a fresh epoch for each start, so that sequence numbers never repeat. */
import type { Pool } from 'pg';

const daysAhead = 3;

/**
 * Opens a new epoch for `gatewayId` and makes the partitions of the coming days. Call it once per start, before the
 * recorder is made. Two live processes must not share an id.
 */
export async function openChain(pool: Pick<Pool, 'query'>, gatewayId: string): Promise<bigint> {
  await makePartitions(pool);
  const { rows } = await pool.query<{ epoch: string }>(
    `INSERT INTO audit_chains AS c (gateway, epoch) VALUES ($1, 1)
     ON CONFLICT (gateway) DO UPDATE SET epoch = c.epoch + 1 RETURNING epoch::text`,
    [gatewayId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the database returned no epoch');
  return BigInt(row.epoch);
}

/** Makes the daily partitions up to three days ahead. Call it once a day or more often; it is cheap when they exist. */
export async function makePartitions(pool: Pick<Pool, 'query'>): Promise<void> {
  await pool.query('SELECT audit_make_partitions($1)', [daysAhead]);
}
