/**
 * Policies tried without a server: manifests and questions in, decisions out. The same authorizer decides as in the
 * gateway, so what holds here holds there. A question has the shape of a SubjectAccessReview's spec and may say what
 * answer is expected.
 */
import type { AccessRequest, Grant } from '../api/access.ts';
import type { KubeObject } from '../api/meta.ts';
import { badRequest } from '../api/status.ts';
import type { ResourceAttributes, SubjectAccessReviewSpec } from '../api/types/authorization.ts';
import { createAuthorizer } from './authorizer.ts';
import { planDefaultRoles } from './default-roles.ts';
import type { NearMiss } from './explain.ts';
import { nearestMiss } from './explain.ts';
import { record, records, strings, text } from './policy-object.ts';
import { subjectAccessRequest } from './reviews.ts';

/** Policy, and questions about it. */
export interface Scenario {
  readonly name: string;
  readonly manifests: readonly KubeObject[];
  readonly checks: readonly Check[];
}

export interface Check {
  readonly request: AccessRequest;
  /** undefined when the question expects no particular answer. */
  readonly expected: boolean | undefined;
}

/** What came of one scenario; `checks` in the order of its questions. */
export interface Evaluation {
  readonly name: string;
  readonly checks: readonly CheckResult[];
}

export interface CheckResult {
  readonly allowed: boolean;
  readonly reason: string;
  /** Which rule granted; only where one did. */
  readonly grant?: Grant;
  /** Of a denial, the rule that came closest and what it does not reach. */
  readonly nearest?: NearMiss;
  readonly expected?: boolean;
}

/** Decides every question of `scenario` under its manifests, on top of the default roles unless `defaults` is false. */
export function evaluate(scenario: Scenario, defaults = true): Evaluation {
  const authorizer = createAuthorizer({
    onError: (error) => {
      throw error;
    },
  });
  for (const object of defaults ? planDefaultRoles([]).create : []) authorizer.observe({ kind: 'set', object });
  for (const object of scenario.manifests) authorizer.observe({ kind: 'set', object });
  return {
    name: scenario.name,
    checks: scenario.checks.map(({ request, expected }) => {
      const decision = authorizer.authorize(request);
      const nearest = decision.allowed ? undefined : nearestMiss(request, authorizer);
      return {
        ...decision,
        ...(nearest === undefined ? {} : { nearest }),
        ...(expected === undefined ? {} : { expected }),
      };
    }),
  };
}

/** Whether every question that expects an answer got it. */
export function asExpected(evaluations: readonly Evaluation[]): boolean {
  return evaluations.every(({ checks }) =>
    checks.every(({ allowed, expected }) => expected === undefined || expected === allowed),
  );
}

/**
 * The scenarios in `document`: one `{ scenarios: [{ name, manifests, checks }] }`, or only `{ checks: […] }` or a list
 * of checks, which are asked of `manifests`. Throws BadRequest for any other shape, saying where.
 */
export function scenariosIn(document: unknown, manifests: readonly KubeObject[]): readonly Scenario[] {
  const scenarios = record(document)?.['scenarios'];
  if (Array.isArray(scenarios)) {
    return records(scenarios).map((scenario) => ({
      name: text(scenario['name']),
      manifests: [...manifests, ...objectsIn(scenario['manifests'])],
      checks: checksIn(scenario['checks'], `scenario ${text(scenario['name'])}`),
    }));
  }
  return [{ name: '', manifests, checks: checksIn(record(document)?.['checks'] ?? document, 'checks') }];
}

/** The objects in `documents`, those inside Lists taken out. A namespaced object without a namespace is put into `default`. Throws BadRequest for what is no object. */
export function objectsIn(documents: unknown): readonly KubeObject[] {
  if (!Array.isArray(documents)) throw badRequest('manifests must be a list of objects');
  return documents.flatMap((document: unknown): readonly KubeObject[] => {
    const object = record(document);
    if (object === undefined || text(object['apiVersion']) === '' || text(object['kind']) === '') {
      throw badRequest('a manifest must be an object with apiVersion and kind');
    }
    if (Array.isArray(object['items']) && text(object['kind']).endsWith('List')) return objectsIn(object['items']);
    const metadata = record(object['metadata']) ?? {};
    if (text(metadata['name']) === '') throw badRequest(`a ${text(object['kind'])} has no metadata.name`);
    const namespaced = ['Role', 'RoleBinding', 'Pod'].includes(text(object['kind']));
    const home = namespaced ? { namespace: text(metadata['namespace']) || 'default' } : {};
    return [{ ...object, metadata: { ...metadata, ...home } } as unknown as KubeObject];
  });
}

function checksIn(value: unknown, where: string): readonly Check[] {
  if (!Array.isArray(value)) throw badRequest(`${where}: checks must be a list`);
  return value.map((entry: unknown, index) => {
    const check = record(entry);
    if (check === undefined) throw badRequest(`${where}[${index}] is no object`);
    const request = subjectAccessRequest({ apiVersion: '', kind: '', metadata: { name: '' }, spec: specOf(check) });
    return { request, expected: typeof check['allowed'] === 'boolean' ? check['allowed'] : undefined };
  });
}

function specOf(check: Readonly<Record<string, unknown>>): SubjectAccessReviewSpec {
  const resource = record(check['resourceAttributes']);
  const path = record(check['nonResourceAttributes']);
  return {
    user: text(check['user']),
    groups: strings(check['groups']),
    ...(resource === undefined ? {} : { resourceAttributes: attributesOf(resource) }),
    ...(path === undefined ? {} : { nonResourceAttributes: { path: text(path['path']), verb: text(path['verb']) } }),
  };
}

function attributesOf(fields: Readonly<Record<string, unknown>>): ResourceAttributes {
  const rawSelector = text(record(fields['fieldSelector'])?.['rawSelector']);
  return {
    namespace: text(fields['namespace']),
    verb: text(fields['verb']),
    group: text(fields['group']),
    version: text(fields['version']),
    resource: text(fields['resource']),
    subresource: text(fields['subresource']),
    name: text(fields['name']),
    ...(rawSelector === '' ? {} : { fieldSelector: { rawSelector } }),
  };
}
