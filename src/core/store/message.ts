/**
 * Several prepared statements in one message with one answer. Postgres runs what stands before a Sync as one
 * transaction and commits it there: neither BEGIN nor COMMIT has to be sent, and the server answers once, where each
 * answer wakes this process up anew.
 */
import { Query } from 'pg';
import type { Client, Connection } from 'pg';
import type { Statement } from './store.ts';

/** Names of the statements that each connection has been sent. */
const prepared = new WeakMap<Client, Set<string>>();

/**
 * Sends `statements`, none of which may return columns. Resolves with the command of the last one ('INSERT', 'COMMIT' …)
 * when all of them are done and, outside of an open transaction, committed. Rejects with the server's error, or with the
 * connection's; that connection is then to be dropped, because nobody knows which statements it has prepared.
 */
export function sendTogether(client: Client, statements: readonly Statement[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const query = new Query({ text: '' }, (error: Error | null | undefined, results: Answer | readonly Answer[]) => {
      if (error) reject(error);
      else resolve((Array.isArray(results) ? results.at(-1) : results).command);
    });
    query.submit = (connection) => write(connection, statements, namesOf(client));
    client.query(query);
  });
}

interface Answer {
  readonly command: string;
}

function namesOf(client: Client): Set<string> {
  const names = prepared.get(client) ?? new Set();
  prepared.set(client, names);
  return names;
}

function write(connection: Connection, statements: readonly Statement[], names: Set<string>): void {
  const { stream } = connection;
  stream.cork(); // one packet for all of it
  for (const { name, text, values } of statements) {
    if (!names.has(name)) {
      names.add(name);
      connection.parse({ name, text, types: [] }, true);
    }
    connection.bind({ statement: name, values }, true);
    connection.execute(null, true);
  }
  connection.sync();
  stream.uncork();
}
