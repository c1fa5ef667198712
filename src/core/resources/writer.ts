/** What every write needs: the store, time and chance, and the steps that judge an object before it is kept. */
import type { KubeObject } from '../../api/meta.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';
import { StatusError, badRequest } from '../../api/status.ts';
import type { Clock } from '../../std/clock.ts';
import type { Fields } from '../../std/value.ts';
import type { Admission, Operation } from '../admission/chain.ts';
import type { Store } from '../store/store.ts';
import type { Address } from './address.ts';
import type { RuleValidator } from './custom/rules.ts';
import type { Call, Target } from './resources.ts';
import type { InternalRows, ServiceAllocator } from './services/allocator.ts';
import { resourceName } from '../../api/meta.ts';

/**
 * Judges a write that is decoded and defaulted, before the store, also for a dry run; `old` is undefined for a create.
 * Throws what the client is to be told (Forbidden). Source: where authorization checks escalation.
 */
export type Guard<Row = unknown> = (
  call: Call<Row>,
  target: Target,
  old: KubeObject | undefined,
  next: KubeObject,
) => Promise<void>;

export interface Writer<Row> {
  readonly store: Store<Row>;
  readonly clock: Clock;
  /** `count` random bytes. */
  readonly random: (count: number) => Uint8Array;
  readonly uid: () => string;
  readonly admission: Admission;
  readonly guards: readonly Guard<Row>[];
  readonly services: ServiceAllocator;
  /** As `CheckContext` has it. */
  readonly loopbackPods: readonly string[];
  /** What the server itself says of a written object: the status of a definition. Other kinds are left as they are. */
  readonly verdict: (type: ResourceType, next: KubeObject, old: KubeObject | undefined) => KubeObject;
  /** Judges the CEL rules of custom kinds; undefined: kinds with rules are refused. */
  readonly rules: RuleValidator | undefined;
  /** Rows for writes that the server makes of itself, on behalf of the one that was asked for. */
  readonly internalRows: InternalRows<Row>;
}

/** How often a write begins again after somebody else wrote in between. Chosen, not measured. */
export const maxAttempts = 8;

/** The store will not keep this value, whoever asks. */
export function rejected(message: string): StatusError {
  return badRequest(`the object cannot be stored: ${message}`);
}

/** Too many others wrote in between. */
export function contended(address: Address): StatusError {
  const name = JSON.stringify(address.target.name);
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on ${resourceName(address.of)} ${name}: too many writers, try again`,
  );
}

/** Admission's view of a write. */
export function admissionRequest<Row>(
  call: Call<Row>,
  address: Address,
  what: {
    readonly operation: Operation;
    readonly object: KubeObject | undefined;
    readonly old: KubeObject | undefined;
    readonly dryRun: boolean;
  },
): Parameters<Admission['mutate']>[0] {
  const { type, target } = address;
  return {
    operation: what.operation,
    resource: resourceName(type.storage),
    kind: type.kind,
    subresource: target.subresource,
    namespaced: type.namespaced,
    namespace: target.namespace,
    name: what.object?.metadata.name ?? target.name,
    user: call.user,
    object: what.object,
    old: what.old,
    dryRun: what.dryRun,
    warn: (text) => call.warn(text),
    annotate: (key, value) => call.annotate(key, value),
  };
}

/** A Status as the answer to a write; it travels where objects do, though its metadata names nothing. */
export function statusObject(fields: Fields): KubeObject {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, ...fields } as unknown as KubeObject;
}
