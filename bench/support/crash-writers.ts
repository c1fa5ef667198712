/**
 * Clients that create, change and delete objects through the API, one by one and as collections, and remember what they
 * were told. Each object has one writer and its name is used once, so that what the database must hold follows from the
 * answers alone. Services among them are given addresses and node ports, which are state, too.
 */
import type { Clock } from '../../src/std/clock.ts';
import { at, fieldsOf } from '../../src/std/value.ts';
import type { Answer, Caller } from './caller.ts';

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

/** What a service was given; a port of 0 is none. */
export interface Given {
  readonly address: string;
  readonly port: number;
}

/** What a run of writers was told. */
export interface Told {
  readonly acknowledged: Acknowledged[];
  readonly expected: Expected[];
  /** By name of the service. */
  readonly given: Map<string, Given>;
  /** Creations that were refused with 503, which promises that nothing was written. */
  readonly refused: { readonly resource: string; readonly name: string }[];
  /** Answers by status code; 0 for a connection that broke. */
  readonly codes: Map<number, number>;
  /** Longest time that a request took, ms. */
  slowestMs: number;
}

/** Nothing yet. */
export function nothingTold(): Told {
  return { acknowledged: [], expected: [], given: new Map(), refused: [], codes: new Map(), slowestMs: 0 };
}

/** The label by which the objects of one run are found; its value is the run's prefix. */
export const runLabel = 'run';
const groupLabel = 'group';
const together = 3;
const namespace = 'default';

interface Shape {
  readonly resource: string;
  readonly path: string;
  readonly kind: string;
  readonly apiVersion: string;
}

const services: Shape = {
  resource: 'services',
  path: `/api/v1/namespaces/${namespace}/services`,
  kind: 'Service',
  apiVersion: 'v1',
};

const shapes: readonly Shape[] = [
  { resource: 'configmaps', path: `/api/v1/namespaces/${namespace}/configmaps`, kind: 'ConfigMap', apiVersion: 'v1' },
  { resource: 'secrets', path: `/api/v1/namespaces/${namespace}/secrets`, kind: 'Secret', apiVersion: 'v1' },
  {
    resource: 'deployments.apps',
    path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    kind: 'Deployment',
    apiVersion: 'apps/v1',
  },
  services,
];

/** What an answer says that its service holds. */
export function givenBy(service: unknown): Given {
  return {
    address: String(at(service, 'spec', 'clusterIP')),
    port: Number(at(service, 'spec', 'ports', 0, 'nodePort') ?? 0),
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
  const { random, signal, prefix, clock } = options;
  for (let n = 0; !signal.aborted; n++) {
    const shape = shapes[Math.floor(random() * shapes.length)] ?? services;
    const name = `${prefix}-${index}-${n}`;
    const answered = await (random() < 0.2 ? liveTogether(options, shape, name) : liveOnce(options, shape, name));
    if (!answered) await clock.sleep(50);
  }
}

/** Creates one object, changes it a few times and perhaps deletes it; false when something went unanswered. */
async function liveOnce(options: WritersOptions, shape: Shape, name: string): Promise<boolean> {
  const { told, random, signal } = options;
  const { resource } = shape;
  const path = `${shape.path}/${name}`;
  const object = objectOf(options, shape, name);
  if (!(await create(options, shape, name, object))) return false;
  let values = ['0'];
  for (let n = 1; n <= 3 && !signal.aborted; n++) {
    const annotations = { n: `${n}` };
    const changed = await (n === 2
      ? timed(options, 'PUT', path, { ...object, metadata: { ...object.metadata, annotations } })
      : timed(options, 'PATCH', path, { metadata: { annotations } }));
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
    noteDeleted(told, shape, name);
    return true;
  }
  told.expected.push({ path, values, mayBeGone: deleted.code !== 503, mayExist: true });
  return false;
}

/** Creates a few objects and deletes them as a collection; false when something went unanswered. */
async function liveTogether(options: WritersOptions, shape: Shape, group: string): Promise<boolean> {
  const { told } = options;
  const names = Array.from({ length: together }, (_, index) => `${group}-${index}`);
  const created: string[] = [];
  for (const name of names) {
    if (!(await create(options, shape, name, objectOf(options, shape, name, { [groupLabel]: group })))) break;
    created.push(name);
  }
  const deleted = await timed(options, 'DELETE', `${shape.path}?labelSelector=${groupLabel}%3D${group}`);
  for (const name of created) {
    if (deleted.code === 200) noteDeleted(told, shape, name);
    // They are deleted one after another: whatever else the answer is, some of them may be gone.
    else told.expected.push({ path: `${shape.path}/${name}`, values: ['0'], mayBeGone: true, mayExist: true });
  }
  return deleted.code === 200 && created.length === names.length;
}

async function create(options: WritersOptions, shape: Shape, name: string, object: object): Promise<boolean> {
  const { told } = options;
  const { resource } = shape;
  const created = await timed(options, 'POST', shape.path, object);
  if (created.code === 201) {
    told.acknowledged.push({ resource, name, kind: 'added', revision: revisionOf(created) });
    if (shape === services) told.given.set(name, givenBy(created.body));
    return true;
  }
  if (created.code === 503) told.refused.push({ resource, name });
  const path = `${shape.path}/${name}`;
  told.expected.push({ path, values: ['0'], mayBeGone: true, mayExist: created.code !== 503 });
  return false;
}

function noteDeleted(told: Told, { resource, path }: Shape, name: string): void {
  told.acknowledged.push({ resource, name, kind: 'deleted', revision: undefined });
  told.expected.push({ path: `${path}/${name}`, values: [], mayBeGone: true, mayExist: false });
}

async function timed({ caller, clock, told }: WritersOptions, ...call: Parameters<Caller['call']>): Promise<Answer> {
  const began = clock.monotonic();
  const answer = await caller.call(...call);
  told.slowestMs = Math.max(told.slowestMs, clock.monotonic() - began);
  told.codes.set(answer.code, (told.codes.get(answer.code) ?? 0) + 1);
  return answer;
}

function objectOf(
  { prefix, random }: WritersOptions,
  { kind, apiVersion }: Shape,
  name: string,
  more: Readonly<Record<string, string>> = {},
): { readonly metadata: object; readonly spec?: object } {
  const labels = { [runLabel]: prefix, ...more };
  const head = { kind, apiVersion, metadata: { name, namespace, labels, annotations: { n: '0' } } };
  if (kind === 'Service') {
    const type = random() < 0.5 ? 'NodePort' : 'ClusterIP';
    return { ...head, spec: { type, selector: { app: name }, ports: [{ port: 80 }] } };
  }
  if (kind !== 'Deployment') return head;
  const app = { app: name };
  const template = { metadata: { labels: app }, spec: { containers: [{ name: 'main', image: 'none' }] } };
  return { ...head, spec: { replicas: 0, selector: { matchLabels: app }, template } };
}

function revisionOf({ body }: Answer): bigint | undefined {
  const { resourceVersion } = fieldsOf(at(body, 'metadata'));
  return typeof resourceVersion === 'string' ? BigInt(resourceVersion) : undefined;
}
