/**
 * The yardstick of the gateway bench, a process of its own: Hono behind TLS, answering every request with the same bytes.
 * Its parent sends `{ key, cert, body }` once and is sent `{ port }`.
 */
import { createServer } from 'node:https';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

export interface BareOptions {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  readonly body: string;
}

process.once('message', ({ key, cert, body }: BareOptions) => {
  const app = new Hono();
  app.get('*', (context) => context.body(body, 200, { 'content-type': 'application/json' }));
  serve(
    { fetch: app.fetch, hostname: '127.0.0.1', port: 0, createServer, serverOptions: { key, cert } },
    ({ port }) => {
      process.send?.({ port });
    },
  );
});
process.once('disconnect', () => process.exit());
