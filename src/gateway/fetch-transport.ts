/** A fetch `Request` as `Inbound`, and an `Answer` as `Response`: how tests and in-process clients come in, by the same chain. */
import { StatusError } from '../api/status.ts';
import type { Answer, Inbound, Peer } from './inbound.ts';

/** `request` as the chain sees it, coming from `peer`. */
export function inboundFromFetch(request: Request, peer: Peer, stopping: AbortSignal): Inbound {
  const url = new URL(request.url);
  // A Headers object joins what was repeated; only the group and extra headers of impersonation need it apart.
  const pairs = [...request.headers].flatMap(([name, value]) =>
    name.startsWith('impersonate-') ? value.split(', ').map((one) => [name, one]) : [[name, value]],
  );
  return {
    method: request.method,
    url: url.pathname + url.search,
    headers: Object.fromEntries(request.headers),
    rawHeaders: pairs.flat(),
    peer,
    signal: AbortSignal.any([request.signal, stopping]),
    body: async (limitBytes) => {
      const bytes = Buffer.from(await request.arrayBuffer());
      if (bytes.length > limitBytes) {
        throw new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);
      }
      return bytes;
    },
  };
}

/** `answer` as a Response. `ended` is called when a stream has been read or dropped. */
export function responseOf(answer: Answer, ended: (error?: unknown) => void): Response {
  const init = { status: answer.code, headers: { ...answer.headers, 'content-type': answer.contentType } };
  if (answer.kind === 'whole') {
    return new Response(typeof answer.body === 'string' ? answer.body : new Uint8Array(answer.body), init);
  }
  const frames = answer.frames[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await frames.next();
        if (next.done === true) {
          controller.close();
          ended();
        } else controller.enqueue(typeof next.value === 'string' ? encoder.encode(next.value) : next.value);
      } catch (error) {
        ended(error);
        controller.error(error);
      }
    },
    async cancel() {
      await frames.return?.();
      ended();
    },
  });
  return new Response(body, init);
}
