/**
 * What follows from definitions in the background: names that were taken become free, and a definition that is being deleted
 * takes its objects with it before it goes. Every gateway runs one; each step may be done by any of them, and twice.
 * Source: apiextensions.k8s.io/v1, the naming and finalizing controllers.
 */
import type { KubeObject } from '../../../api/meta.ts';
import { storageTypeOf } from '../../../api/schema/custom/kind.ts';
import { builtinKinds } from '../../../api/schema/kinds.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { Clock } from '../../../std/clock.ts';
import type { Logger } from '../../../std/log.ts';
import type { Running } from '../../../std/stop.ts';
import { at, equal } from '../../../std/value.ts';
import type { Mutation, Store, Stored } from '../../store/store.ts';
import { storageName } from '../address.ts';
import { planRemoval } from '../remove-plan.ts';
import type { InternalRows } from '../services/allocator.ts';
import { cleanupFinalizer, definitionsName, whileTerminating, withVerdict } from './definition-status.ts';
import type { ServedKinds } from './kinds.ts';

/** How soon to look again at objects that go on to exist (their finalizers), ms. Chosen. */
const lookAgainMs = 500;
/**
 * How long a kind has to stay empty, ms: a gateway that has not seen the deletion refuses to serve after 2 s, so by
 * then nobody creates objects of it any more.
 */
const settleMs = 2000;
/** Deletions under way at once: they share the store's batches. */
const atOnce = 64;

export interface KeeperDeps<Row> {
  readonly store: Store<Row>;
  readonly kinds: Pick<ServedKinds, 'definitions'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly internalRows: InternalRows<Row>;
}

/** Runs until stopped. */
export async function startDefinitionKeeper<Row>(deps: KeeperDeps<Row>): Promise<Running> {
  const { store, clock, log } = deps;
  const ended = new AbortController();
  const due = new Set<string>();
  let wake = (): void => {};
  const enqueue = (name: string): void => {
    due.add(name);
    wake();
  };
  const unobserve = await store.observe(definitionsName, ({ stored }) => {
    enqueue(stored.key.name);
    const group = at(stored.object, 'spec', 'group');
    for (const other of deps.kinds.definitions()) {
      if (at(other, 'spec', 'group') === group && isRefused(other)) enqueue(other.metadata.name);
    }
  });
  ended.signal.addEventListener('abort', () => wake(), { once: true });
  const looking = new Set<Promise<void>>();
  const lookAt = async (name: string): Promise<void> => {
    try {
      const againMs = await keep(deps, name, ended.signal);
      if (againMs !== undefined) clock.after(againMs, () => enqueue(name));
    } catch (error) {
      if (ended.signal.aborted) return;
      log.warn('a definition of custom resources could not be looked after', { name, error });
      clock.after(lookAgainMs * 2, () => enqueue(name));
    }
  };
  const busy = new Set<string>();
  const loop = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const [name] = [...due].filter((one) => !busy.has(one));
      if (name === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      due.delete(name);
      busy.add(name);
      const one = lookAt(name).finally(() => {
        busy.delete(name);
        looking.delete(one);
        wake();
      });
      looking.add(one);
    }
  };
  const running = loop();
  return {
    stop: async () => {
      unobserve();
      ended.abort();
      await running;
      await Promise.all(looking);
    },
  };
}

function isRefused(definition: KubeObject): boolean {
  const conditions = at(definition, 'status', 'conditions');
  return (
    Array.isArray(conditions) &&
    conditions.some((one) => at(one, 'type') === 'NamesAccepted' && at(one, 'status') === 'False')
  );
}

/** One look at one definition; how soon the next is due, where something is under way. */
async function keep<Row>(deps: KeeperDeps<Row>, name: string, signal: AbortSignal): Promise<number | undefined> {
  const { store, clock, kinds } = deps;
  const key = { resource: definitionsName, namespace: '', name };
  const stored = await store.get(key, { kind: 'current' }, signal);
  if (stored === undefined) return undefined;
  if (stored.object.metadata.deletionTimestamp !== undefined) return await finish(deps, stored, signal);
  const next = withVerdict(stored.object, {
    definitions: kinds.definitions(),
    builtin: builtinKinds.all(),
    now: clock.now(),
  });
  if (next !== stored.object) await write(deps, { kind: 'update', key, object: next, expected: stored.revision });
  return undefined;
}

/** Takes a deletion one step on. */
async function finish<Row>(deps: KeeperDeps<Row>, stored: Stored, signal: AbortSignal): Promise<number | undefined> {
  const { clock } = deps;
  const { object, key } = stored;
  const finalizers = object.metadata.finalizers ?? [];
  if (!finalizers.includes(cleanupFinalizer)) return undefined;
  const begun = whileTerminating(
    object,
    { isTrue: true, reason: 'InstanceDeletionInProgress', message: 'CustomResource deletion is in progress' },
    clock.now(),
  );
  if (!equal(begun, object)) {
    await write(deps, { kind: 'update', key, object: begun, expected: stored.revision });
    return 0; // with the revision that this made
  }
  const type = storageTypeOf(object);
  if (type !== undefined && !(await isEmptied(deps, type, signal))) return lookAgainMs;
  await clock.sleep(settleMs, signal);
  if (type !== undefined && !(await isEmptied(deps, type, signal))) return lookAgainMs;
  const rest = finalizers.filter((one) => one !== cleanupFinalizer);
  if (rest.length === 0) {
    await write(deps, { kind: 'delete', key, expected: stored.revision });
    return undefined;
  }
  const done = whileTerminating(
    { ...object, metadata: { ...object.metadata, finalizers: rest } },
    { isTrue: false, reason: 'InstanceDeletionCompleted', message: 'removed all instances' },
    clock.now(),
  );
  await write(deps, { kind: 'update', key, object: done, expected: stored.revision });
  return undefined;
}

/** Whether nothing of `type` was left; deletes what is. */
async function isEmptied<Row>(deps: KeeperDeps<Row>, type: ResourceType, signal: AbortSignal): Promise<boolean> {
  const query = { namespace: undefined, fresh: { kind: 'current' }, limit: undefined, after: undefined } as const;
  const { items } = await deps.store.list({ ...query, resource: storageName(type), matches: undefined }, signal);
  for (let first = 0; first < items.length; first += atOnce) {
    signal.throwIfAborted();
    await Promise.all(items.slice(first, first + atOnce).map((stored) => removeOne(deps, type, stored)));
  }
  return items.length === 0;
}

async function removeOne<Row>(deps: KeeperDeps<Row>, type: ResourceType, stored: Stored): Promise<void> {
  const plan = planRemoval(type, stored.object, {}, deps.clock.now());
  if (plan.kind === 'under-way') return;
  const { key, revision: expected } = stored;
  await write(
    deps,
    plan.kind === 'mark' ? { kind: 'update', key, object: plan.object, expected } : { kind: 'delete', key, expected },
  );
}

/** What somebody else changed meanwhile is looked at again: its change wakes the loop, or the next look finds it. */
async function write<Row>({ store, internalRows }: KeeperDeps<Row>, mutation: Mutation): Promise<void> {
  await store.write(mutation, internalRows(mutation));
}
