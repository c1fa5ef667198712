/**
 * One rule of RBAC and what it grants. Rules only add: nothing here can deny. All comparison is of whole, literal
 * text; the only wildcards are a lone `*` (verbs, groups, resources), `*` in place of a resource before `/SUB`, and a
 * `*` at the end of a path. Names of objects have none.
 * Source: rbac.authorization.k8s.io/v1, PolicyRule.
 */
import type { AccessRequest, PathAccess, ResourceAccess } from '../api/access.ts';
import { judgedName } from './request.ts';

/** A list in which `*` may stand for everything. */
export interface Listed {
  readonly all: boolean;
  readonly values: ReadonlySet<string>;
}

/** A PolicyRule taken apart for quick answers; `compileRule` makes it. */
export interface CompiledRule {
  readonly verbs: Listed;
  readonly groups: Listed;
  readonly resources: Listed;
  /** The SUBs of entries written as `*` + `/SUB`. */
  readonly anyParent: ReadonlySet<string>;
  /** undefined when the rule names no objects, and so grants them all. */
  readonly names: ReadonlySet<string> | undefined;
  readonly paths: Listed;
  /** What stands before the `*` of the paths that end in one. */
  readonly pathPrefixes: readonly string[];
}

/**
 * Whether `rule` grants `request`. A rule with resourceNames grants only requests about one of those names, so it
 * never grants a create or a list of everything, whose name is ''.
 */
export function grants(rule: CompiledRule, request: AccessRequest): boolean {
  if (!mayGrant(rule, request)) return false;
  return request.kind === 'path' || rule.names === undefined || rule.names.has(judgedName(request));
}

/** The part of `grants` that needs no object name: verb, then group and resource, or path. */
export function mayGrant(rule: CompiledRule, request: AccessRequest): boolean {
  if (!covers.verb(rule, request)) return false;
  return request.kind === 'path'
    ? covers.path(rule, request)
    : covers.group(rule, request) && covers.resource(rule, request);
}

/** Whether a rule reaches one part of a request. */
export const covers = {
  verb: ({ verbs }: CompiledRule, { verb }: AccessRequest): boolean => includes(verbs, verb),
  group: ({ groups }: CompiledRule, { group }: ResourceAccess): boolean => includes(groups, group),
  resource: ({ resources, anyParent }: CompiledRule, { resource, subresource }: ResourceAccess): boolean =>
    subresource === ''
      ? includes(resources, resource)
      : includes(resources, `${resource}/${subresource}`) || anyParent.has(subresource),
  path: ({ paths, pathPrefixes }: CompiledRule, { path }: PathAccess): boolean =>
    includes(paths, path) || pathPrefixes.some((prefix) => path.startsWith(prefix)),
};

function includes({ all, values }: Listed, value: string): boolean {
  return all || values.has(value);
}
