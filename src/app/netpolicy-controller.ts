/**
 * Writes what each node has to enforce: NodeAllowList and PeerSetSlice objects, compiled from pods, namespaces, nodes and
 * network policies. Changes go to the compiler as they come; one worker writes what differs, whoever made the
 * difference, so a list that somebody edits or deletes is put right as well.
 */
import { startInformer } from '../core/cluster/informer.ts';
import type { Informer } from '../core/cluster/informer.ts';
import { ignoring } from '../core/cluster/ignoring.ts';
import { networkPolicies } from '../core/cluster/resource-ref.ts';
import type { ClusterObject, ResourceRef } from '../core/cluster/resource-ref.ts';
import type { ControllerContext } from '../core/controllers/context.ts';
import { whenAllSynced } from '../core/controllers/context.ts';
import { startController } from '../core/controllers/controller.ts';
import type { ClusterClient } from '../core/cluster/client.ts';
import type { NodeAllowList, PeerSetSlice } from '../netpolicy/allow-list.ts';
import { AllowListCompiler } from '../netpolicy/compile.ts';
import type { PolicyInput } from '../netpolicy/compile.ts';
import { planAllowLists } from '../netpolicy/plan.ts';
import { nodeAllowLists, peerSetSlices } from './allow-list-refs.ts';

const identity = 'netpolicy-controller';
/** Writes under way at a time. The gateway commits them in groups. */
const parallelWrites = 16;

/** Runs until the context's signal aborts. */
export async function runNetworkPolicies(context: ControllerContext): Promise<void> {
  const { clock, log, signal } = context;
  const client = context.clientFor(identity);
  const policies = startInformer({ client, of: networkPolicies, clock, log, signal });
  const { pods, namespaces, nodes } = context.informers;
  const sources: readonly Informer<PolicyInput>[] = [pods, namespaces, nodes, policies];
  const lists = new Ledger<NodeAllowList>(startInformer({ client, of: nodeAllowLists, clock, log, signal }));
  const slices = new Ledger<PeerSetSlice>(startInformer({ client, of: peerSetSlices, clock, log, signal }));
  // Half a view would take away what the other half allows.
  await whenAllSynced([...sources, lists.informer, slices.informer], signal);

  const compiler = new AllowListCompiler();
  const controller = startController({
    ...context,
    name: identity,
    workers: 1,
    reconcile: async () => {
      const changes = compiler.take();
      lists.want(changes.lists);
      slices.want(changes.slices);
      await write({ client, lists, slices, signal });
      return {};
    },
  });
  const wake = (): void => controller.enqueue('allow-lists');
  for (const source of sources) {
    source.onChange((event) => {
      if (event.kind === 'set') compiler.upsert(event.object);
      else compiler.remove(event.previous.kind, event.previous.metadata.namespace ?? '', event.previous.metadata.name);
      wake();
    });
    for (const object of source.list()) compiler.upsert(object);
  }
  lists.begin(wake);
  slices.begin(wake);
  wake();
}

/** Brings what differs to what is wanted, in the order that opens nothing by a gap. Throws at the first refusal. */
async function write(options: {
  readonly client: ClusterClient;
  readonly lists: Ledger<NodeAllowList>;
  readonly slices: Ledger<PeerSetSlice>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { client, lists, slices, signal } = options;
  const [ofLists, ofSlices] = [lists.takeDoubtful(), slices.takeDoubtful()];
  const plan = planAllowLists(
    { lists: ofLists.existing, slices: ofSlices.existing },
    { lists: ofLists.desired, slices: ofSlices.desired },
  );
  const save = async <T extends ClusterObject>(
    of: ResourceRef<T>,
    ledger: Ledger<T>,
    create: readonly T[],
    update: readonly T[],
  ): Promise<void> => {
    await inParallel(create, async (object) => ledger.saw(await client.create(of, object, signal)));
    await inParallel(update, async (object) => ledger.saw(await client.update(of, object, undefined, signal)));
  };
  const remove = async <T extends ClusterObject>(
    of: ResourceRef<T>,
    ledger: Ledger<T>,
    objects: readonly T[],
  ): Promise<void> => {
    await inParallel(objects, async (object) => {
      await ignoring(['NotFound'], () => client.delete(of, object.metadata, {}, signal));
      ledger.gone(object.metadata.name);
    });
  };
  try {
    await save(peerSetSlices, slices, plan.createSlices, plan.updateSlices);
    await save(nodeAllowLists, lists, plan.createLists, plan.updateLists);
    await remove(nodeAllowLists, lists, plan.deleteLists);
    await remove(peerSetSlices, slices, plan.deleteSlices);
  } catch (error) {
    lists.doubt(ofLists.names);
    slices.doubt(ofSlices.names);
    throw error;
  }
}

/**
 * What is wanted of one kind, what exists, and the names in which the two may differ. What exists is the copy's view
 * overlaid with our own writes, which the copy shows a moment later.
 */
class Ledger<T extends ClusterObject> {
  readonly informer: Informer<T>;
  readonly #desired = new Map<string, T>();
  readonly #existing = new Map<string, T>();
  readonly #doubtful = new Set<string>();

  constructor(informer: Informer<T>) {
    this.informer = informer;
  }

  /** Takes what exists as the start, all of it in doubt, and follows it: `changed` is called when somebody changed something. */
  begin(changed: () => void): void {
    this.informer.onChange((event) => {
      const object = event.kind === 'set' ? event.object : event.previous;
      const { name } = object.metadata;
      if (isOlder(object, this.#existing.get(name))) return;
      if (event.kind === 'set') this.#existing.set(name, object);
      else this.#existing.delete(name);
      this.#doubtful.add(name);
      changed();
    });
    for (const object of this.informer.list()) {
      this.#existing.set(object.metadata.name, object);
      this.#doubtful.add(object.metadata.name);
    }
  }

  want(changes: ReadonlyMap<string, T | undefined>): void {
    for (const [name, object] of changes) {
      if (object === undefined) this.#desired.delete(name);
      else this.#desired.set(name, object);
      this.#doubtful.add(name);
    }
  }

  /** What is in doubt, as it is and as it should be; from here on it is not in doubt any more. */
  takeDoubtful(): {
    readonly names: readonly string[];
    readonly existing: readonly T[];
    readonly desired: readonly T[];
  } {
    const names = [...this.#doubtful];
    this.#doubtful.clear();
    return {
      names,
      existing: names.flatMap((name) => this.#existing.get(name) ?? []),
      desired: names.flatMap((name) => this.#desired.get(name) ?? []),
    };
  }

  /** Our own write's answer. */
  saw(object: T): void {
    if (!isOlder(object, this.#existing.get(object.metadata.name))) this.#existing.set(object.metadata.name, object);
  }

  gone(name: string): void {
    this.#existing.delete(name);
  }

  /** These could not all be written. */
  doubt(names: readonly string[]): void {
    for (const name of names) this.#doubtful.add(name);
  }
}

function isOlder(object: ClusterObject, than: ClusterObject | undefined): boolean {
  return BigInt(object.metadata.resourceVersion ?? '0') < BigInt(than?.metadata.resourceVersion ?? '0');
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const work = async (): Promise<void> => {
    for (const item of rest) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(parallelWrites, items.length) }, work));
}
