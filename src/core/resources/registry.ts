/** The one write path, put together: what the gateway calls for every resource that is served. */
import type { KubeObject } from '../../api/meta.ts';
import { StatusError, badRequest, notFound } from '../../api/status.ts';
import type { Clock } from '../../std/clock.ts';
import { isFields } from '../../std/value.ts';
import { createAdmission } from '../admission/chain.ts';
import type { Store } from '../store/store.ts';
import type { Address } from './address.ts';
import { addressOf as addressIn, keyOf, methodNotAllowed } from './address.ts';
import { applyWish } from './apply/request.ts';
import { readBody, readPatch, readValue } from './body.ts';
import { createObject } from './create.ts';
import { createOnObject } from './create-subresource.ts';
import { builtinOnly } from './custom/kinds.ts';
import type { ServedKinds } from './custom/kinds.ts';
import { definitionVerdict } from './custom/verdict.ts';
import type { RuleValidator } from './custom/rules.ts';
import { asStored } from './defaulting.ts';
import { modifyObject } from './modify.ts';
import { addressed, checkName } from './object-meta.ts';
import { jsonPatch } from './patch/json.ts';
import { mergePatch } from './patch/merge.ts';
import { mergeShape } from './patch/shape.ts';
import { strategicPatch } from './patch/strategic.ts';
import { readList, readOne } from './read.ts';
import { readDeleteOptions, removeCollection, removeObject } from './remove.ts';
import type { Body, Call, PatchType, Resources, Target, WriteOptions } from './resources.ts';
import { createServiceAllocator } from './services/allocator.ts';
import type { InternalRows } from './services/allocator.ts';
import type { ServiceRanges } from './services/ranges.ts';
import { defaultRanges } from './services/ranges.ts';
import { viewOf } from './view.ts';
import { watchItems } from './watch.ts';
import type { Guard, Writer } from './writer.ts';

export interface ResourcesOptions<Row> {
  readonly store: Store<Row>;
  readonly clock: Clock;
  /** `count` random bytes, from a source nobody can guess. */
  readonly random: (count: number) => Uint8Array;
  readonly uid: () => string;
  readonly guards: readonly Guard<Row>[];
  /** The built-in kinds alone by default. */
  readonly kinds?: ServedKinds;
  /** Judges the CEL rules of custom kinds. Without it, definitions with rules are refused. */
  readonly rules?: RuleValidator;
  readonly serviceRanges?: ServiceRanges;
  /** Blocks inside 127.0.0.0/8 that are pods' own addresses, which endpoints may name. None by default. */
  readonly loopbackPods?: readonly string[];
  /** Rows for the few writes that the server makes of itself (cluster IPs and node ports it holds, a disruption budget that an eviction spends). None by default. */
  readonly internalRows?: InternalRows<Row>;
}

/** Every served resource over `store`. */
export function createResources<Row>(options: ResourcesOptions<Row>): Resources<Row> {
  const { store, clock, random, uid, guards } = options;
  const kinds = options.kinds ?? builtinOnly;
  const addressOf = (target: Target): Address => addressIn(target, kinds);
  const internalRows: InternalRows<Row> = options.internalRows ?? (() => () => []);
  const writer: Writer<Row> = {
    rules: options.rules,
    verdict: definitionVerdict(kinds, clock),
    internalRows,
    store,
    clock,
    random,
    uid,
    guards,
    loopbackPods: options.loopbackPods ?? [],
    admission: createAdmission({ store, random }),
    services: createServiceAllocator({
      store,
      clock,
      random,
      ranges: options.serviceRanges ?? defaultRanges,
      internalRows,
    }),
  };
  return {
    get: async (_call, target, read) => {
      const address = addressOf(target);
      const stored = await readOne(store, address, read);
      if (address.subresource?.name !== 'scale') return stored;
      const object = viewOf(address.type, address.subresource).of(stored.object);
      return { ...stored, object, json: Buffer.from(JSON.stringify(object)) };
    },
    list: async (call, target, list) => await readList(store, addressOf(target), list, call.signal),
    watch: (call, target, watch) => watchItems({ store, clock }, addressOf(target), watch, call.signal),
    create: async (call, target, body, write) => {
      const address = addressOf(target);
      if (address.type.transient && address.type.resource !== 'bindings') throw methodNotAllowed();
      const object = readBody(call, address.subresource ?? address.type, body, write);
      call.requestObject(object);
      if (address.type.resource === 'bindings') return await bindByName(writer, call, address, { object, write });
      if (address.subresource !== undefined) return await createOnObject(writer, call, address, object, write);
      return await createObject(writer, call, address, object, write);
    },
    update: async (call, target, body, write) => {
      const address = addressOf(target);
      const sent = addressed(address.type, readBody(call, address.subresource ?? address.type, body, write), target);
      call.requestObject(sent);
      const next = asStored(address, sent);
      const create = address.subresource === undefined ? () => sent : undefined;
      return await modifyObject(writer, call, address, { kind: 'update', next: () => next, create }, write);
    },
    patch: async (call, target, type, body, write) => {
      const address = addressOf(target);
      if (type === 'apply')
        return await modifyObject(writer, call, address, applyWish(writer, call, address, body, write), write);
      const apply = patchBy(address, type, body);
      call.requestObject(apply.sent);
      const next = (present: KubeObject): KubeObject => {
        const patched = readValue(call, address.subresource ?? address.type, apply.to(present), write);
        checkName(patched, target);
        return asStored(address, addressed(address.type, patched, target));
      };
      return await modifyObject(writer, call, address, { kind: 'patch', next, create: undefined }, write);
    },
    delete: async (call, target, body, write) => {
      const address = addressOf(target);
      if (address.subresource !== undefined) throw methodNotAllowed();
      return await removeObject(writer, call, address, { remove: readDeleteOptions(body), dryRun: write.dryRun });
    },
    deleteCollection: async (call, target, body, list, write) =>
      await removeCollection(writer, call, addressOf(target), {
        remove: readDeleteOptions(body),
        list,
        options: write,
      }),
  };
}

/** POST …/bindings is POST …/pods/NAME/binding in an older spelling. */
async function bindByName<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  sent: { readonly object: KubeObject; readonly write: WriteOptions },
): ReturnType<Resources<Row>['create']> {
  const name = sent.object.metadata.name ?? '';
  const target = { ...address.target, resource: 'pods', subresource: 'binding', name };
  const pod = addressIn(target);
  if ((await writer.store.get(keyOf(pod.type, target.namespace, name), { kind: 'current' })) === undefined)
    throw notFound(pod.of, name);
  return await createOnObject(writer, call, pod, sent.object, sent.write);
}

/** What a patch does to the object it meets. */
function patchBy(
  { type, subresource }: Address,
  patchType: Exclude<PatchType, 'apply'>,
  body: Body,
): { readonly sent: unknown; readonly to: (present: KubeObject) => unknown } {
  if (patchType === 'strategic' && type.custom !== undefined) throw noStrategicPatch();
  const sent = readPatch(body);
  if (patchType === 'json') return { sent, to: (present) => jsonPatch(present, sent) };
  if (!isFields(sent)) throw badRequest('a patch is an object');
  if (patchType === 'merge') return { sent, to: (present) => mergePatch(present, sent) };
  const shape = mergeShape((subresource ?? type).schema);
  return { sent, to: (present) => strategicPatch(present, sent, shape) };
}

/** Lists of custom kinds have no patch strategy: kubectl falls back to a merge patch when it is told so. */
function noStrategicPatch(): StatusError {
  return new StatusError(
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  );
}
