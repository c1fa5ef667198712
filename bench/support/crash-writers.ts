/**
 * Clients that create, change and delete objects through the API and remember what they were told. Each object has one
 * writer and its name is used once, so that what the database must hold follows from the answers alone.
 */
import { Agent, request } from 'node:https';
import type { Credentials } from '../../src/app/credentials.ts';
import type { Clock } from '../../src/std/clock.ts';

/** One acknowledged change: it must be in the store. */
export interface Acknowledged {
  /** As the store spells it. */
  readonly resource: string;
  readonly name: string;
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Of the answer; undefined for a deletion, whose answer carries none. */
  readonly revision: bigint | undefined;
}

/** What the API must say about one object: one of `values`, or `gone` where that is allowed too. */
export interface Expected {
  readonly path: string;
  readonly values: readonly string[];
  readonly mayBeGone: boolean;
  readonly mayExist: boolean;
}

/** What a run of writers was told. */
export interface Told {
  readonly acknowledged: Acknowledged[];
  readonly expected: Expected[];
  /** Creations that were refused with 503, which promises that nothing was written. */
  readonly refused: { readonly resource: string; readonly name: string }[];
  /** Answers by status code; 0 for a connection that broke. */
  readonly codes: Map<number, number>;
  /** Longest time that a request took, ms. */
  slowestMs: number;
}

export interface Answer {
  /** 0 when the connection broke: whether the request was carried out is not known. */
  readonly code: number;
  readonly body: unknown;
}

/** One HTTPS connection pool with the administrator's certificate. */
export interface Caller {
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  stop(): void;
}

/** Longest wait for an answer, ms. The gateway's own deadlines are shorter. */
const answerMs = 20_000;
const namespace = 'default';

const shapes = [
  { resource: 'configmaps', path: `/api/v1/namespaces/${namespace}/configmaps`, kind: 'ConfigMap', apiVersion: 'v1' },
  { resource: 'secrets', path: `/api/v1/namespaces/${namespace}/secrets`, kind: 'Secret', apiVersion: 'v1' },
  {
    resource: 'deployments.apps',
    path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    kind: 'Deployment',
    apiVersion: 'apps/v1',
  },
] as const;

/** A caller with `credentials`. */
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
            try {
              resolve({ code: response.statusCode ?? 0, body: JSON.parse(text) as unknown });
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

/** Keeps `count` writers going until `signal` aborts; resolves when each has finished what it was at. */
export async function runWriters(options: {
  readonly caller: Caller;
  readonly clock: Clock;
  /** Begins every name; unlike that of any other run. */
  readonly prefix: string;
  readonly count: number;
  readonly signal: AbortSignal;
  readonly told: Told;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}): Promise<void> {
  await Promise.all(Array.from({ length: options.count }, (_, index) => runWriter(options, index)));
}

type WritersOptions = Parameters<typeof runWriters>[0];

async function runWriter(options: WritersOptions, index: number): Promise<void> {
  for (let n = 0; !options.signal.aborted; n++) {
    const shape = shapes[Math.floor(options.random() * shapes.length)] ?? shapes[0];
    const answered = await liveOnce(options, shape, `${options.prefix}-${index}-${n}`);
    if (!answered) await options.clock.sleep(50);
  }
}

/** Creates one object, changes it a few times and perhaps deletes it; false when something went unanswered. */
async function liveOnce(options: WritersOptions, shape: (typeof shapes)[number], name: string): Promise<boolean> {
  const { told, random, signal } = options;
  const { resource } = shape;
  const path = `${shape.path}/${name}`;
  const created = await timed(options, 'POST', shape.path, objectOf(shape, name, '0'));
  if (created.code === 503) told.refused.push({ resource, name });
  if (created.code !== 201) {
    told.expected.push({ path, values: ['0'], mayBeGone: true, mayExist: created.code !== 503 });
    return false;
  }
  told.acknowledged.push({ resource, name, kind: 'added', revision: revisionOf(created) });
  let values = ['0'];
  for (let n = 1; n <= 3 && !signal.aborted; n++) {
    const changed = await timed(options, 'PATCH', path, { metadata: { annotations: { n: `${n}` } } });
    if (changed.code === 200) {
      told.acknowledged.push({ resource, name, kind: 'modified', revision: revisionOf(changed) });
      values = [`${n}`];
    } else {
      if (changed.code !== 503) values.push(`${n}`);
      told.expected.push({ path, values, mayBeGone: false, mayExist: true });
      return false;
    }
  }
  if (random() < 0.5) {
    told.expected.push({ path, values, mayBeGone: false, mayExist: true });
    return true;
  }
  const deleted = await timed(options, 'DELETE', path);
  if (deleted.code === 200) {
    told.acknowledged.push({ resource, name, kind: 'deleted', revision: undefined });
    told.expected.push({ path, values: [], mayBeGone: true, mayExist: false });
    return true;
  }
  told.expected.push({ path, values, mayBeGone: deleted.code !== 503, mayExist: true });
  return false;
}

async function timed({ caller, clock, told }: WritersOptions, ...call: Parameters<Caller['call']>): Promise<Answer> {
  const began = clock.monotonic();
  const answer = await caller.call(...call);
  told.slowestMs = Math.max(told.slowestMs, clock.monotonic() - began);
  told.codes.set(answer.code, (told.codes.get(answer.code) ?? 0) + 1);
  return answer;
}

function objectOf({ kind, apiVersion }: (typeof shapes)[number], name: string, n: string): unknown {
  const head = { kind, apiVersion, metadata: { name, namespace, annotations: { n } } };
  if (kind !== 'Deployment') return head;
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'none' }] } };
  return { ...head, spec: { replicas: 0, selector: { matchLabels: labels }, template } };
}

function revisionOf({ body }: Answer): bigint | undefined {
  const { metadata } = body as { readonly metadata?: { readonly resourceVersion?: string } };
  return metadata?.resourceVersion === undefined ? undefined : BigInt(metadata.resourceVersion);
}
