/**
 * A request and its answer, apart from how they travel. HTTP/1.1, HTTP/2, an upgrade and an in-process fetch all become
 * an `Inbound`, so the chain exists once.
 */
import type { PeerCertificateIdentity } from './authn/certificate.ts';

/** Who is at the other end of the connection, as the transport knows it. */
export interface Peer {
  /** IP address, or '' in process. */
  readonly address: string;
  readonly certificate: PeerCertificateIdentity | undefined;
}

export interface Inbound {
  readonly method: string;
  /** Path and query exactly as sent: nothing normalizes it before it is judged. */
  readonly url: string;
  /** Lower-case names. Of repeated headers only what HTTP allows to be joined is joined here; `rawHeaders` has them all. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Name, value, name, value … as sent. */
  readonly rawHeaders: readonly string[];
  readonly peer: Peer;
  /** Aborts when the client is gone or the gateway ends. Made when first asked for. */
  readonly signal: AbortSignal;
  /** The whole body. Throws RequestEntityTooLarge past `limitBytes`, counted as bytes come; Timeout when it comes too slowly. */
  body(limitBytes: number): Promise<Buffer>;
}

/** More headers than any client sends. Node drops what is past its own limit in silence, so a request that reaches it is refused. */
export const maxHeaders = 200;

export type Headers = Readonly<Record<string, string>>;

/** What goes back: a body that is there, or frames that come as they come. */
export type Answer = WholeAnswer | StreamAnswer;

export interface WholeAnswer {
  readonly kind: 'whole';
  readonly code: number;
  readonly contentType: string;
  readonly headers?: Headers;
  readonly body: Buffer | string;
}

export interface StreamAnswer {
  readonly kind: 'stream';
  readonly code: number;
  readonly contentType: string;
  readonly headers?: Headers;
  /** Each is flushed as it comes. The consumer pulls, so a slow client slows its producer. */
  readonly frames: AsyncIterable<string | Buffer>;
}

/** One header's value, the first where there are several; '' when absent. */
export function header(inbound: Pick<Inbound, 'headers'>, name: string): string {
  const value = inbound.headers[name];
  if (value === undefined) return '';
  return typeof value === 'string' ? value : (value[0] ?? '');
}

/** `value` as a JSON answer. */
export function jsonAnswer(code: number, value: unknown, headers?: Headers): WholeAnswer {
  return {
    kind: 'whole',
    code,
    contentType: 'application/json',
    body: JSON.stringify(value),
    ...(headers === undefined ? {} : { headers }),
  };
}

/** Plain text, as the health checks answer. */
export function textAnswer(code: number, body: string, contentType = 'text/plain; charset=utf-8'): WholeAnswer {
  return { kind: 'whole', code, contentType, body, headers: { 'x-content-type-options': 'nosniff' } };
}
