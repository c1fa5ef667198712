/** A relay before a Postgres socket that can lose a connection at a chosen moment: what was sent arrives, the answer never does. */
import { createConnection, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CutProxy {
  /** `url` through the relay. */
  readonly url: string;
  /** When the client's next packet that holds `text` has been seen: cut, with or without passing it on. */
  cutAt(text: string, passOn: boolean): void;
  /** How often it has cut. */
  cuts(): number;
  stop(): Promise<void>;
}

/** Relays to the server that `url` (with a ?host= socket folder) names. */
export async function startCutProxy(url: string): Promise<CutProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-cut-'));
  const through = new URL(url.replace('@/', '@localhost/'));
  const target = join(through.searchParams.get('host') ?? '', '.s.PGSQL.5432');
  through.searchParams.set('host', folder);
  let armed: { readonly text: string; readonly passOn: boolean } | undefined;
  let cuts = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection(target);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (data) => {
      if (armed === undefined || !data.includes(armed.text)) {
        upstream.write(data);
        return;
      }
      const { passOn } = armed;
      armed = undefined;
      cuts += 1;
      client.destroy();
      if (passOn) upstream.end(data);
      else upstream.destroy();
    });
    upstream.on('data', (data) => client.write(data));
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(join(folder, '.s.PGSQL.5432'), resolve));
  return {
    url: through.href.replace('@localhost/', '@/'),
    cutAt: (text, passOn) => {
      armed = { text, passOn };
    },
    cuts: () => cuts,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
