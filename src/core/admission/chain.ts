/**
 * Admission: what may change an object on its way in, then what may still refuse it. One list each, in the order they
 * run. An error refuses.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { User } from '../../api/user.ts';
import type { Store } from '../store/store.ts';
import { withRequester } from './certificate-request.ts';
import { keepsLimits, withLimitDefaults } from './limits.ts';
import { keepsSystemNamespaces, namespaceExists } from './namespace.ts';
import { restrictNode } from './node-restriction.ts';
import { holdsToPodSecurity } from './pod-security/admit.ts';
import { withPriority } from './priority.ts';
import { withServiceAccount } from './service-account.ts';
import { withTolerations } from './tolerations.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE';

/** A write as admission sees it. Of a DELETE only `old` is there, of a CREATE only `object`. */
export interface AdmissionRequest {
  readonly operation: Operation;
  /** As `resourceName()` spells the stored resource: `pods`, `deployments.apps`. */
  readonly resource: string;
  readonly kind: string;
  readonly subresource: string;
  readonly namespaced: boolean;
  readonly namespace: string;
  readonly name: string;
  readonly user: User;
  readonly object: KubeObject | undefined;
  readonly old: KubeObject | undefined;
  readonly dryRun: boolean;
  warn(text: string): void;
  /** Notes `value` in the audit event of the request. */
  annotate(key: string, value: string): void;
}

/** What admission may look up. */
export interface AdmissionDeps {
  readonly store: Pick<Store, 'get' | 'list'>;
  readonly random: (count: number) => Uint8Array;
}

/** Gives back the object, changed or as it was. Throws StatusError to refuse. */
export type Mutator = (deps: AdmissionDeps, request: AdmissionRequest, object: KubeObject) => Promise<KubeObject>;

/** Throws StatusError to refuse. */
export type Validator = (deps: AdmissionDeps, request: AdmissionRequest) => Promise<void>;

export interface Admission {
  /** The object after all mutators. The request has to carry an object. */
  mutate(request: AdmissionRequest): Promise<KubeObject>;
  validate(request: AdmissionRequest): Promise<void>;
}

/** The chain that is always on. */
export function createAdmission(deps: AdmissionDeps): Admission {
  const mutators: readonly Mutator[] = [
    namespaceExists,
    withRequester,
    withLimitDefaults,
    withServiceAccount,
    withTolerations,
    withPriority,
  ];
  const validators: readonly Validator[] = [keepsSystemNamespaces, keepsLimits, restrictNode, holdsToPodSecurity];
  return {
    mutate: async (request) => {
      if (request.object === undefined) throw new Error('admission needs an object to change');
      let { object } = request;
      for (const mutate of mutators) object = await mutate(deps, { ...request, object }, object);
      return object;
    },
    validate: async (request) => {
      for (const validate of validators) await validate(deps, request);
    },
  };
}
