/** EndpointSlices of every service with a selector, and the older Endpoints object that shows the same. */
import { isDeepStrictEqual } from 'node:util';
import type { Endpoints, Pod, Service } from '../../api/types/core.ts';
import { matchesLabels, selectorOf } from '../../api/selector.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { ignoring } from '../cluster/ignoring.ts';
import { endpoints as endpointsRef, endpointSlices as slicesRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { keyOf, splitKey, whenAllSynced } from './context.ts';
import { createOwnWrites, startController } from './controller.ts';
import type { OwnWrites, Reconcile } from './controller.ts';
import { controllerReference } from './ownership.ts';
import { planSlices, serviceLabel } from './endpoints-plan.ts';
import type { SlicePlan } from './endpoints-plan.ts';

const identity = 'endpointslice-controller';

/** Runs until the context's signal aborts. */
export async function runEndpoints(context: ControllerContext): Promise<void> {
  const { informers, signal } = context;
  const client = context.clientFor(identity);
  const writes = createOwnWrites();
  const controller = startController({
    ...context,
    name: identity,
    reconcile: reconcileEndpoints({ ...context, client, writes }),
  });
  await whenAllSynced([informers.services, informers.pods, informers.endpointSlices], signal);
  informers.services.onChange((event) => {
    controller.enqueue(keyOf(event.kind === 'deleted' ? event.previous : event.object));
  });
  informers.endpointSlices.onChange((event) => {
    const slice = event.kind === 'deleted' ? event.previous : event.object;
    const service = slice.metadata.labels?.[serviceLabel];
    if (service !== undefined) controller.enqueue(`${slice.metadata.namespace ?? ''}/${service}`);
  });
  informers.pods.onChange((event) => {
    const versions =
      event.kind === 'deleted' ? [event.previous] : [event.object, ...(event.previous ? [event.previous] : [])];
    for (const service of informers.services.list(versions[0]?.metadata.namespace ?? '')) {
      if (versions.some((pod) => selects(service, pod))) controller.enqueue(keyOf(service));
    }
  });
  for (const service of informers.services.list()) controller.enqueue(keyOf(service));
}

function selects(service: Service, pod: Pod): boolean {
  const selector = service.spec.selector;
  if (selector === undefined || Object.keys(selector).length === 0) return false;
  return matchesLabels(selectorOf({ matchLabels: selector }), pod.metadata.labels ?? {});
}

interface Deps extends ControllerContext {
  readonly client: ClusterClient;
  readonly writes: OwnWrites;
}

/** Brings the slices of one service up to date. Services without a selector are their owner's business. */
export function reconcileEndpoints({ informers, client, writes }: Deps): Reconcile {
  return async (key, signal) => {
    const { namespace, name } = splitKey(key);
    const service = informers.services.get(namespace, name);
    const existing = informers.endpointSlices.byIndex('service', key);
    if (!informers.endpointSlices.hasSeen(writes.latest(key))) return { requeueAfterMs: 50 };
    if (service === undefined || service.spec.type === 'ExternalName') {
      writes.forget(key);
      return {}; // the garbage collector owns what is left
    }
    if (service.spec.selector === undefined || Object.keys(service.spec.selector).length === 0) return {};
    const pods = informers.pods.list(namespace).filter((pod) => selects(service, pod));
    await carryOut(planSlices(service, pods, existing));
    await mirror(service, pods);
    return {};

    async function carryOut(plan: SlicePlan): Promise<void> {
      for (const slice of plan.create) writes.note(key, await client.create(slicesRef, slice, signal));
      for (const slice of plan.update) writes.note(key, await client.update(slicesRef, slice, undefined, signal));
      for (const slice of plan.remove) writes.note(key, await client.delete(slicesRef, slice.metadata, {}, signal));
    }

    async function mirror(of: Service, selected: readonly Pod[]): Promise<void> {
      const wanted = endpointsOf(of, selected);
      const known = await ignoring(['NotFound'], () => client.get(endpointsRef, { namespace, name }, signal));
      if (known === undefined) await client.create(endpointsRef, wanted, signal);
      else if (!isDeepStrictEqual(known.subsets ?? [], wanted.subsets)) {
        await client.update(endpointsRef, { ...known, subsets: wanted.subsets ?? [] }, undefined, signal);
      }
    }
  };
}

/** The Endpoints object of the same content; it knows ready and not ready, nothing more. */
function endpointsOf(service: Service, pods: readonly Pod[]): Omit<Endpoints, 'status'> {
  const { create: slices } = planSlices(service, pods, []);
  const subsets = slices.map((slice) => {
    const address = (ready: boolean): NonNullable<NonNullable<Endpoints['subsets']>[number]['addresses']> =>
      (slice.endpoints ?? [])
        .filter(
          (endpoint) => (endpoint.conditions?.ready ?? true) === ready && endpoint.conditions?.terminating !== true,
        )
        .map((endpoint) => ({
          ip: endpoint.addresses[0] ?? '',
          ...(endpoint.nodeName === undefined ? {} : { nodeName: endpoint.nodeName }),
          ...(endpoint.targetRef === undefined ? {} : { targetRef: endpoint.targetRef }),
        }));
    const [addresses, notReadyAddresses] = [address(true), address(false)];
    return {
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
      ports: (slice.ports ?? []).map(({ name, port = 0, protocol = 'TCP' }) => ({
        ...(name === undefined || name === '' ? {} : { name }),
        port,
        protocol,
      })),
    };
  });
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: service.metadata.name,
      namespace: service.metadata.namespace ?? '',
      labels: { ...service.metadata.labels, 'endpointslice.kubernetes.io/skip-mirror': 'true' },
      ownerReferences: [controllerReference(service)], // nobody else removes it with its service
    },
    subsets: subsets.filter((subset) => 'addresses' in subset || 'notReadyAddresses' in subset),
  };
}
