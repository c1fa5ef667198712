import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AccessRequest } from '../../src/api/access.ts';
import type { KubeObject } from '../../src/api/meta.ts';

/** One question of the truth set, in the shape of a SubjectAccessReview's spec. */
export interface Check {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  readonly resourceAttributes?: Readonly<
    Record<'namespace' | 'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'name', string>
  >;
  readonly nonResourceAttributes?: Readonly<Record<'path' | 'verb', string>>;
  readonly allowed: boolean;
  readonly why: string;
}

export interface Scenario {
  readonly name: string;
  readonly why: string;
  readonly manifests: readonly KubeObject[];
  readonly checks: readonly Check[];
}

export interface EscalationCase {
  readonly name: string;
  readonly why: string;
  readonly actor: { readonly user: string; readonly groups: readonly string[] };
  readonly setup: readonly KubeObject[];
  readonly attempt: {
    readonly verb: string;
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly object: KubeObject | null;
  };
  readonly expectStatus: number;
}

/** The truth set of RBAC decisions and escalation attempts. */
export function rbacCases(): {
  readonly scenarios: readonly Scenario[];
  readonly escalation: readonly EscalationCase[];
} {
  const file = join(import.meta.dirname, '../conformance/rbac/rbac.json');
  return JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof rbacCases>;
}

export function requestOf(check: Check): AccessRequest {
  const user = { name: check.user, uid: check.uid ?? '', groups: check.groups, extra: check.extra ?? {} };
  if (check.resourceAttributes !== undefined) return { kind: 'resource', user, ...check.resourceAttributes };
  const { path = '', verb = '' } = check.nonResourceAttributes ?? {};
  return { kind: 'path', user, path, verb };
}
