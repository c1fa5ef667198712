/**
 * One connection to Postgres that comes back by itself. Whoever uses it asks for the present client and reports a
 * failure with `drop`; the next asker connects anew. Nothing is retried here.
 */
import { Client } from 'pg';
import type { Logger } from '../../std/log.ts';
import { unavailable } from '../../api/status.ts';

/** Longest wait for a connection, ms. Chosen, not measured: above a busy server's backlog, below a client's patience. */
const connectMs = 3000;

export interface LinkOptions {
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  readonly log: Logger;
  /** Statements may be sent before the previous one is answered. */
  readonly pipeline: boolean;
  /** Longest wait for one answer, ms. A client that passes it is dropped. */
  readonly answerMs: number;
  /** Server settings of the session, as `-c name=value` options. */
  readonly settings: string;
  /** Called with each new client before anybody else gets it. */
  readonly prepare?: (client: Client) => Promise<void>;
}

export class Link {
  readonly #options: LinkOptions;
  #client: Client | undefined;
  #connecting: Promise<Client> | undefined;
  #stopped = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The connected client. Throws ServiceUnavailable when there is no connection within 3 s. */
  async client(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    if (this.#stopped) throw unavailable('the store is stopping');
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Closes `client` at once; a statement of it that is under way fails. */
  drop(client: Client): void {
    if (this.#client === client) this.#client = undefined;
    client.connection.stream.destroy();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const client = this.#client ?? (await this.#connecting?.catch(() => undefined));
    this.#client = undefined;
    await client?.end();
  }

  async #connect(): Promise<Client> {
    const { url, name, pipeline, answerMs, settings, log } = this.#options;
    const client = new Client({
      connectionString: url,
      application_name: name,
      connectionTimeoutMillis: connectMs,
      query_timeout: answerMs,
      keepAlive: true,
      options: settings,
      pipeline,
    });
    client.on('error', (error) => log.warn('database connection failed', { link: name, error: error.message }));
    client.on('end', () => {
      if (this.#client === client) this.#client = undefined;
    });
    try {
      await client.connect();
      await this.#options.prepare?.(client);
    } catch (error) {
      client.connection.stream.destroy();
      throw unavailable('the database is not reachable at the moment', 1, error);
    }
    this.#client = client;
    return client;
  }
}
