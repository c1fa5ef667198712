/**
 * What became of a batch whose connection was lost. Under the writer row's lock its id is looked up. If it is not there,
 * the revision is moved on past the batch's base, so that the lost message fails should it still arrive.
 */
import type { Client } from 'pg';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { StatusError } from '../../api/status.ts';
import type { Link } from './link.ts';

/** How long the database is asked, ms. Chosen, not measured. */
const doubtMs = 30_000;
const pauseMs = 100;

interface DoubtDeps {
  readonly link: Link;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called whenever the database could not be asked. */
  readonly meanwhile: () => void;
}

/** Whether the batch is committed. Asks until it knows; throws Timeout when it does not know after 30 s. */
export async function wasCommitted(
  batch: { readonly id: bigint; readonly base: bigint },
  { link, clock, log, meanwhile }: DoubtDeps,
): Promise<boolean> {
  const giveUpAt = clock.monotonic() + doubtMs;
  for (;;) {
    let client: Client | undefined;
    try {
      client = await link.client();
      return await lookUp(client, batch);
    } catch (error) {
      if (client !== undefined) link.drop(client);
      log.debug('the outcome of a batch is not known yet', { batch: batch.id, error });
    }
    if (clock.monotonic() > giveUpAt) {
      throw new StatusError('Timeout', 'the database went away; whether this change was written is not known: read it');
    }
    meanwhile();
    await clock.sleep(pauseMs);
  }
}

async function lookUp(client: Client, { id, base }: { readonly id: bigint; readonly base: bigint }): Promise<boolean> {
  await client.query('begin');
  // The lock waits for the lost transaction, if the server is still at it.
  await client.query('select from store_writer for update');
  const { rowCount } = await client.query({
    text: 'select from store_changes where revision = $1 and batch = $2',
    values: [(base + 1n).toString(), id.toString()],
  });
  const committed = rowCount === 1;
  if (!committed) {
    const text = 'update store_writer set revision = greatest(revision, $1) + 1';
    await client.query({ text, values: [base.toString()] });
  }
  await client.query('commit');
  return committed;
}
