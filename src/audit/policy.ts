/**
 * audit.k8s.io/v1 Policy: how much of each request is recorded as an event. Rules are tried in order and the first that
 * matches decides; the fields of a rule are ANDed, the entries of a field ORed; no match is level None.
 * The policy never touches the fact row, which every request leaves.
 * Source: kubernetes/apiserver pkg/audit/policy (checker, reader) and apis/audit/validation.
 */
import type { GroupResources, Policy, PolicyRule } from '../api/types/audit.ts';

export const levels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof levels)[number];

export const stages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof stages)[number];

/** A policy that was validated, with each rule's answer worked out once. */
export interface AuditPolicy {
  readonly rules: readonly { readonly rule: PolicyRule; readonly answer: LevelAnswer }[];
  readonly otherwise: LevelAnswer;
}

/** What the policy asks for one request. `matchedRule` counts from 0; null when no rule matched. */
export interface LevelAnswer {
  readonly level: AuditLevel;
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
  readonly matchedRule: number | null;
}

/** A request as rules see it. `path` is looked at when `isResource` is false, the resource's fields otherwise. */
export interface PolicyRequest {
  /** undefined when nobody was authenticated: then no rule that names users or groups matches. */
  readonly user: { readonly name: string; readonly groups: readonly string[] } | undefined;
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Without the query. */
  readonly path: string;
}

/** The level of `request` under `policy`. */
export function levelFor(policy: AuditPolicy, request: PolicyRequest): LevelAnswer {
  for (const { rule, answer } of policy.rules) if (matches(rule, request)) return answer;
  return policy.otherwise;
}

/** Works out each rule's answer. `policy` must be valid: see `parsePolicy`. */
export function compilePolicy(policy: Pick<Policy, 'rules' | 'omitStages' | 'omitManagedFields'>): AuditPolicy {
  const global = policy.omitManagedFields ?? false;
  return {
    rules: policy.rules.map((rule, index) => ({
      rule,
      answer: {
        level: known(levels, rule.level),
        omitStages: union(policy.omitStages ?? [], rule.omitStages ?? []),
        omitManagedFields: rule.omitManagedFields ?? global,
        matchedRule: index,
      },
    })),
    otherwise: {
      level: 'None',
      omitStages: union(policy.omitStages ?? [], []),
      omitManagedFields: global,
      matchedRule: null,
    },
  };
}

function known<T extends string>(values: readonly T[], value: string): T {
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) throw new RangeError(`${value} is none of ${values.join(', ')}`);
  return found;
}

function union(global: readonly string[], own: readonly string[]): readonly AuditStage[] {
  return [...new Set([...global, ...own])].map((stage) => known(stages, stage));
}

function matches(rule: PolicyRule, request: PolicyRequest): boolean {
  const { user } = request;
  if (some(rule.users) && (user === undefined || !rule.users.includes(user.name))) return false;
  if (some(rule.userGroups)) {
    const wanted = rule.userGroups;
    if (user === undefined || !user.groups.some((group) => wanted.includes(group))) return false;
  }
  if (some(rule.verbs) && !rule.verbs.includes(request.verb)) return false;
  if (some(rule.namespaces) || some(rule.resources)) return request.isResource && matchesResource(rule, request);
  if (some(rule.nonResourceURLs)) {
    return !request.isResource && rule.nonResourceURLs.some((pattern) => pathMatches(pattern, request.path));
  }
  return true;
}

function some<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}

function matchesResource(rule: PolicyRule, request: PolicyRequest): boolean {
  if (some(rule.namespaces) && !rule.namespaces.includes(request.namespace)) return false;
  return !some(rule.resources) || rule.resources.some((entry) => entryMatches(entry, request));
}

function entryMatches(entry: GroupResources, request: PolicyRequest): boolean {
  if ((entry.group ?? '') !== request.group) return false;
  if (!some(entry.resources)) return true;
  if (some(entry.resourceNames) && !entry.resourceNames.includes(request.name)) return false;
  const combined = request.subresource === '' ? request.resource : `${request.resource}/${request.subresource}`;
  return entry.resources.some(
    (pattern) =>
      pattern === '*' ||
      pattern === combined ||
      (request.subresource !== '' && pattern === `*/${request.subresource}`) ||
      pattern === `${request.resource}/*`, // upstream lets it match the resource itself too
  );
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)));
}

const reads = ['get', 'list', 'watch'];
const probes = [
  '/livez*',
  '/readyz*',
  '/healthz*',
  '/version',
  '/metrics',
  '/openapi*',
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
];

/**
 * What applies when no policy file is given: the body of every change that is not a secret, the metadata of everything
 * that touches secrets, tokens and pods' insides; no event for reads, probes, leases and Events, whose fact row says it all.
 */
export const defaultPolicy: AuditPolicy = compilePolicy({
  omitStages: ['RequestReceived'],
  omitManagedFields: true,
  rules: [
    { level: 'None', nonResourceURLs: probes },
    {
      level: 'None',
      resources: [
        { group: '', resources: ['events'] },
        { group: 'events.k8s.io', resources: ['events'] },
        { group: 'coordination.k8s.io', resources: ['leases'] },
      ],
    },
    {
      level: 'Metadata',
      resources: [
        { group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token'] },
        { group: 'authentication.k8s.io', resources: ['tokenreviews'] },
        {
          group: '',
          resources: ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy', 'services/proxy', 'nodes/proxy'],
        },
      ],
    },
    { level: 'Metadata', userGroups: ['system:nodes'], resources: [{ group: '', resources: ['*/status'] }] },
    { level: 'None', verbs: reads },
    { level: 'Request', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
    { level: 'Metadata' },
  ],
});
