/** Namespace deletion: everything inside goes first, then the `kubernetes` finalizer, and with it the namespace. */
import type { Namespace } from '../../api/types/core.ts';
import { rfc3339 } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { discoverResources } from '../cluster/discovery.ts';
import { ignoring } from '../cluster/ignoring.ts';
import { namespaces as namespacesRef } from '../cluster/resource-ref.ts';
import type { ResourceRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { whenAllSynced } from './context.ts';
import { startController } from './controller.ts';
import type { Reconcile } from './controller.ts';

const identity = 'namespace-controller';
const finalizer = 'kubernetes';
// How soon to look again at what is still there: pods take their grace period.
const lookAgainMs = 500;

/** Runs until the context's signal aborts. */
export async function runNamespaces(context: ControllerContext): Promise<void> {
  const { informers, signal, clock } = context;
  const client = context.clientFor(identity);
  const get = (name: string): Namespace | undefined => informers.namespaces.get('', name);
  const reconcile = reconcileNamespace({ get, client, clock });
  const controller = startController({ ...context, name: identity, reconcile });
  await whenAllSynced([informers.namespaces], signal);
  informers.namespaces.onChange((event) => {
    if (event.kind === 'set' && event.object.metadata.deletionTimestamp !== undefined) {
      controller.enqueue(event.object.metadata.name);
    }
  });
  for (const { metadata } of informers.namespaces.list()) {
    if (metadata.deletionTimestamp !== undefined) controller.enqueue(metadata.name);
  }
}

/** Empties one terminating namespace and lets it go. */
export function reconcileNamespace(deps: {
  readonly get: (name: string) => Namespace | undefined;
  readonly client: ClusterClient;
  readonly clock: Clock;
}): Reconcile {
  const { client, clock } = deps;
  return async (name, signal) => {
    const namespace = deps.get(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return {};
    if (!(namespace.spec.finalizers ?? []).includes(finalizer)) return {};
    const resources = await discoverResources(client, ['list', 'deletecollection'], signal);
    const left: { readonly resource: ResourceRef; readonly count: number; readonly finalizers: readonly string[] }[] =
      [];
    for (const resource of resources.filter((each) => each.namespaced)) {
      const found = await emptied(resource, name, signal);
      if (found.count > 0) left.push({ resource, ...found });
    }
    if (left.length > 0) {
      await report(namespace, left, signal);
      return { requeueAfterMs: lookAgainMs };
    }
    await finalize(namespace, signal);
    return {};
  };

  /** What of `resource` is still there after asking for its deletion. */
  async function emptied(
    resource: ResourceRef,
    namespace: string,
    signal: AbortSignal,
  ): Promise<{ readonly count: number; readonly finalizers: readonly string[] }> {
    const query = { namespace, metadataOnly: true };
    const before = await client.list(resource, query, signal);
    if (before.items.length === 0) return { count: 0, finalizers: [] };
    if (before.items.some(({ metadata }) => metadata.deletionTimestamp === undefined)) {
      await client.deleteAll(resource, namespace, signal);
    }
    const after = await client.list(resource, query, signal);
    return {
      count: after.items.length,
      finalizers: [...new Set(after.items.flatMap(({ metadata }) => metadata.finalizers ?? []))],
    };
  }

  async function report(
    namespace: Namespace,
    left: readonly { readonly resource: ResourceRef; readonly count: number; readonly finalizers: readonly string[] }[],
    signal: AbortSignal,
  ): Promise<void> {
    const name = ({ resource: { group, version, resource } }: (typeof left)[number]): string =>
      `${resource}.${group === '' ? version : group}`;
    const remaining = left.map((each) => `${name(each)} has ${each.count} resource instances`).join(', ');
    const waiting = [...new Set(left.flatMap(({ finalizers }) => finalizers))];
    const finalizers = waiting.map(
      (each) => `${each} in ${left.filter((l) => l.finalizers.includes(each)).length} resource instances`,
    );
    const condition = (
      type: string,
      on: boolean,
      reason: string,
      otherwise: string,
      message: string,
      none: string,
    ) => ({
      type,
      status: on ? ('True' as const) : ('False' as const),
      lastTransitionTime: rfc3339(clock.now()),
      reason: on ? reason : otherwise,
      message: on ? message : none,
    });
    const conditions = [
      condition(
        'NamespaceContentRemaining',
        true,
        'SomeResourcesRemain',
        '',
        `Some resources are remaining: ${remaining}`,
        '',
      ),
      condition(
        'NamespaceFinalizersRemaining',
        waiting.length > 0,
        'SomeFinalizersRemain',
        'ContentHasNoFinalizers',
        `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`,
        'All content-preserving finalizers finished',
      ),
    ];
    const known = namespace.status?.conditions ?? [];
    const same = conditions.every((each) =>
      known.some((old) => old.type === each.type && old.message === each.message),
    );
    if (same) return;
    const kept = known.filter((old) => !conditions.some(({ type }) => type === old.type));
    const status = { ...namespace.status, phase: 'Terminating' as const, conditions: [...kept, ...conditions] };
    await client.update(namespacesRef, { ...namespace, status }, 'status', signal);
  }

  async function finalize(namespace: Namespace, signal: AbortSignal): Promise<void> {
    const finalizers = (namespace.spec.finalizers ?? []).filter((each) => each !== finalizer);
    const finalized = { ...namespace, spec: { ...namespace.spec, finalizers } };
    await ignoring(['NotFound'], () => client.update(namespacesRef, finalized, 'finalize', signal));
  }
}
