import type { Hono } from 'hono';
import type { Answer, Inbound } from '../inbound.ts';
import { pageNotFound } from '../router.ts';

/** What `routes`, a Hono app of another room, answers to `inbound`. Reads only: it gets neither the body nor credentials. */
export async function answerOf(routes: Hono, inbound: Inbound): Promise<Answer> {
  const request = new Request(`https://gateway${inbound.url}`, { method: 'GET', signal: inbound.signal });
  const response = await routes.fetch(request);
  if (response.status === 404) throw pageNotFound();
  const contentType = response.headers.get('content-type') ?? 'application/json';
  if (contentType.startsWith('application/json') && response.headers.has('content-length')) {
    return { kind: 'whole', code: response.status, contentType, body: Buffer.from(await response.arrayBuffer()) };
  }
  return { kind: 'stream', code: response.status, contentType, frames: chunks(response.body) };
}

async function* chunks(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Buffer> {
  if (body === null) return;
  for await (const chunk of body) yield Buffer.from(chunk);
}
