/**
 * Cluster IPs and node ports, each held by one service over all gateways. What is held is an object of its own under
 * the number's name (an IPAddress for an address), created before the service is: the store refuses the second one.
 * A gateway that dies in between leaves such an object without a service; whoever wants the number later takes it over.
 */
import type { KubeObject } from '../../../api/meta.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { FieldCause } from '../../../api/status.ts';
import { StatusError, invalid } from '../../../api/status.ts';
import type { Clock } from '../../../std/clock.ts';
import { parseInstant, rfc3339 } from '../../../std/clock.ts';
import { at, fieldsOf, isFields, listOf } from '../../../std/value.ts';
import type { Key, Mutation, Store, Stored, Verdict } from '../../store/store.ts';
import { storageName } from '../address.ts';
import { invalidValue } from '../validate/causes.ts';
import { addressNeed, carriedOver, heldBy, needsHealthPort, needsNodePorts, withAddress } from './plan.ts';
import type { ServiceRanges } from './ranges.ts';
import { addressRange, candidates, toAddress, toNumber } from './ranges.ts';

/** A held number without a service is abandoned after this; longer than any creation takes. Chosen, not measured. */
const abandonedMs = 60_000;

/** What a write of a service has been given. One of `keep` and `release` follows, when the outcome is known. */
export interface Allocation {
  readonly object: KubeObject;
  /** The write is committed: frees what the service no longer holds. */
  keep(): Promise<void>;
  /** The write came to nothing, with `error` if it threw: frees what was taken for it, unless it may have been written after all. */
  release(error?: unknown): Promise<void>;
}

export interface ServiceAllocator {
  /** `next` with all it needs, taken for it; any other kind unchanged. A dry run takes nothing. Throws Invalid. */
  allocate(type: ResourceType, next: KubeObject, old: KubeObject | undefined, dryRun: boolean): Promise<Allocation>;
  /** `next` with what `old` was given and the client left out. */
  carriedOver(type: ResourceType, next: KubeObject, old: KubeObject): KubeObject;
  /** Frees what a service that is gone has held. Like `keep` it does not throw in an outage: what was written stays written. */
  releaseAll(type: ResourceType, object: KubeObject): Promise<void>;
}

/** Records the allocator's own writes; they happen on behalf of a service's write, which has its own record. */
export type InternalRows<Row> = (mutation: Mutation) => (revision: bigint) => readonly Row[];

export function createServiceAllocator<Row>(deps: {
  readonly store: Store<Row>;
  readonly clock: Clock;
  readonly random: (count: number) => Uint8Array;
  readonly ranges: ServiceRanges;
  readonly internalRows: InternalRows<Row>;
}): ServiceAllocator {
  const addresses = addressRange(deps.ranges.clusterCIDR);
  const { first, last } = deps.ranges.nodePorts;

  const hold = async (key: Key, service: KubeObject): Promise<boolean> => {
    const object = heldObject(key, service, rfc3339(deps.clock.now()));
    const write = async (mutation: Mutation): Promise<Verdict> =>
      await deps.store.write(mutation, deps.internalRows(mutation));
    const verdict = await write({ kind: 'create', key, object });
    if (verdict.outcome === 'committed') return true;
    if (verdict.outcome !== 'exists') throw new StatusError('InternalError', `cannot hold ${key.name} for a service`);
    if (!(await isAbandoned(verdict.current))) return false;
    const taken = await write({ kind: 'update', key, object, expected: verdict.current.revision });
    return taken.outcome === 'committed';
  };

  const isAbandoned = async (held: Stored): Promise<boolean> => {
    const since = parseInstant(held.object.metadata.creationTimestamp ?? '') ?? 0;
    if (deps.clock.now() - since < abandonedMs) return false;
    const parent = fieldsOf(at(held.object, 'spec', 'parentRef'));
    const key = { resource: 'services', namespace: String(parent['namespace']), name: String(parent['name']) };
    const owner = await deps.store.get(key, { kind: 'current' });
    const { addresses: ips, ports } = heldBy(owner?.object);
    return !ips.includes(held.key.name) && !ports.map(String).includes(held.key.name);
  };

  /** Frees those of `keys` that are held for `service`: another may have taken them over meanwhile. */
  const free = async (keys: readonly Key[], service: KubeObject): Promise<void> => {
    try {
      for (const key of keys) {
        const held = await deps.store.get(key, { kind: 'current' });
        if (held === undefined || held.object.metadata.uid !== heldUid(key, service)) continue;
        const mutation = { kind: 'delete', key, expected: held.revision } as const;
        await deps.store.write(mutation, deps.internalRows(mutation));
      }
    } catch (error) {
      // The service's own write has its outcome by now, and an outage does not change it. What is still held without a
      // service is taken over by whoever wants it later.
      if (!(error instanceof StatusError)) throw error;
    }
  };

  const randomNumber = (): number => Buffer.from(deps.random(4)).readUInt32BE(0);

  return {
    carriedOver: (type, next, old) => (storageName(type) === 'services' ? carriedOver(next, old) : next),
    releaseAll: async (type, object) => {
      if (storageName(type) !== 'services') return;
      const { addresses: ips, ports } = heldBy(object);
      await free([...ips.map(addressKey), ...ports.map(portKey)], object);
    },
    allocate: async (type, next, old, dryRun) => {
      const nothing = async (): Promise<void> => {};
      if (storageName(type) !== 'services') return { object: next, keep: nothing, release: nothing };
      const before = heldBy(old);
      const taken: Key[] = [];
      const releaseTaken = async (error?: unknown): Promise<void> => {
        const keys = taken.splice(0);
        if (error === undefined || wasNotWritten(error)) await free(keys, next);
      };
      const refuse = (cause: FieldCause): StatusError => invalid('', 'Service', next.metadata.name ?? '', [cause]);
      /** Takes `key` for the service; a dry run only looks. */
      const take = async (key: Key): Promise<boolean> => {
        if (dryRun) return (await deps.store.get(key, { kind: 'current' })) === undefined;
        if (!(await hold(key, next))) return false;
        taken.push(key);
        return true;
      };
      const takeAny = async (
        numbers: Iterable<number>,
        keyFor: (number: number) => Key,
      ): Promise<number | undefined> => {
        for (const number of numbers) if (await take(keyFor(number))) return number;
        return undefined;
      };
      const address = async (): Promise<string | undefined> => {
        const need = addressNeed(next);
        if (need.kind === 'none') return undefined;
        if (need.kind === 'any') {
          const found = await takeAny(candidates(addresses.first, addresses.last, randomNumber()), (number) =>
            addressKey(toAddress(number)),
          );
          if (found === undefined)
            throw new StatusError('InternalError', 'failed to allocate a serviceIP: range is full');
          return toAddress(found);
        }
        if (before.addresses.includes(need.address)) return need.address;
        const number = toNumber(need.address);
        const fail = (why: string): StatusError =>
          refuse(invalidValue('spec.clusterIPs', [need.address], `failed to allocate IP ${need.address}: ${why}`));
        if (number === undefined || number < addresses.first || number > addresses.last) {
          throw fail(
            `the provided IP (${need.address}) is not in the valid range. The range of valid IPs is ${deps.ranges.clusterCIDR}`,
          );
        }
        if (!(await take(addressKey(need.address)))) throw fail('provided IP is already allocated');
        return need.address;
      };
      const nodePort = async (asked: unknown, field: string): Promise<number> => {
        if (typeof asked !== 'number' || asked === 0) {
          const found = await takeAny(candidates(first, last, randomNumber()), portKey);
          if (found === undefined)
            throw new StatusError('InternalError', 'failed to allocate a nodePort: range is full');
          return found;
        }
        if (before.ports.includes(asked) || taken.some((key) => key.name === String(asked))) return asked;
        if (asked < first || asked > last) {
          throw refuse(
            invalidValue(
              field,
              asked,
              `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
            ),
          );
        }
        if (!(await take(portKey(asked))))
          throw refuse(invalidValue(field, asked, 'provided port is already allocated'));
        return asked;
      };
      try {
        const withIP = withAddress(next, await address());
        const spec = fieldsOf(withIP['spec']);
        const ports: unknown[] = [];
        for (const [index, port] of listOf(spec['ports']).entries()) {
          const given = needsNodePorts(next) && isFields(port);
          ports.push(
            given ? { ...port, nodePort: await nodePort(port['nodePort'], `spec.ports[${index}].nodePort`) } : port,
          );
        }
        const health = needsHealthPort(next)
          ? await nodePort(spec['healthCheckNodePort'], 'spec.healthCheckNodePort')
          : undefined;
        const object: KubeObject = {
          ...withIP,
          spec: {
            ...spec,
            ...(Object.hasOwn(spec, 'ports') ? { ports } : {}),
            ...(health === undefined ? {} : { healthCheckNodePort: health }),
          },
        };
        const after = heldBy(object);
        return {
          object,
          release: releaseTaken,
          keep: async () => {
            taken.length = 0;
            const ips = before.addresses.filter((ip) => !after.addresses.includes(ip));
            const ports = before.ports.filter((port) => !after.ports.includes(port));
            await free([...ips.map(addressKey), ...ports.map(portKey)], next);
          },
        };
      } catch (error) {
        await releaseTaken();
        throw error;
      }
    },
  };
}

function addressKey(address: string): Key {
  return { resource: 'ipaddresses.networking.k8s.io', namespace: '', name: address };
}

/** Node ports have no kind upstream; nobody is served this one. */
function portKey(port: number): Key {
  return { resource: 'nodeports.internal.gatehouse.dev', namespace: '', name: String(port) };
}

/** Whether `error` of a write says that nothing was written; Timeout says that nobody knows (see Store.write). */
function wasNotWritten(error: unknown): boolean {
  return error instanceof StatusError && error.reason !== 'Timeout';
}

/** Of what `service` holds: tells it from what another service holds under the same number. */
function heldUid(key: Key, { metadata: { uid } }: KubeObject): string | undefined {
  return uid === undefined ? undefined : `${uid}-${key.name}`;
}

function heldObject(key: Key, service: KubeObject, now: string): KubeObject {
  const { namespace, name } = service.metadata;
  const uid = heldUid(key, service);
  const isAddress = key.resource === 'ipaddresses.networking.k8s.io';
  return {
    apiVersion: isAddress ? 'networking.k8s.io/v1' : 'internal.gatehouse.dev/v1',
    kind: isAddress ? 'IPAddress' : 'NodePort',
    metadata: {
      name: key.name,
      creationTimestamp: now,
      ...(uid === undefined ? {} : { uid }),
      ...(isAddress
        ? {
            labels: {
              'ipaddress.kubernetes.io/ip-family': 'IPv4',
              'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
            },
          }
        : {}),
    },
    spec: { parentRef: { resource: 'services', namespace, name } },
  };
}
