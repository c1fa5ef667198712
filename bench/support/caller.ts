/** One HTTPS connection pool with the credentials of a kubeconfig, for programs that need every answer, whatever it is. */
import { Agent, request } from 'node:https';
import type { Credentials } from '../../src/app/credentials.ts';

export interface Answer {
  /** 0 when the connection broke: whether the request was carried out is not known. */
  readonly code: number;
  /** Of JSON the value, else the text. */
  readonly body: unknown;
}

export interface Caller {
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  stop(): void;
}

/** Longest wait for an answer, ms. The gateway's own deadlines are shorter, but for a change in doubt (30 s). */
const answerMs = 20_000;

/** A caller with `credentials`. A PATCH is a merge patch. */
export function createCaller({ server, ca, identity }: Credentials): Caller {
  const agent = new Agent({ keepAlive: true, ca, ...identity });
  return {
    call: (method, path, body) =>
      new Promise((resolve) => {
        const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
        const broken = (): void => resolve({ code: 0, body: undefined });
        const signal = AbortSignal.timeout(answerMs);
        const sent = request(new URL(path, server), { method, agent, signal, headers: { 'content-type': type } });
        sent.on('error', broken);
        sent.on('response', (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', broken);
          response.on('aborted', broken);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const isJson = response.headers['content-type']?.includes('json') ?? true;
            try {
              resolve({ code: response.statusCode ?? 0, body: isJson ? (JSON.parse(text) as unknown) : text });
            } catch {
              broken();
            }
          });
        });
        sent.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    stop: () => agent.destroy(),
  };
}
