/**
 * Acting as somebody else. Each thing that is taken on (user, every group, uid, every extra value) is a permission of
 * its own, asked of the same authorizer as everything else. Source: Kubernetes authentication, user impersonation.
 */
import type { Decision, ResourceAccess } from '../../api/access.ts';
import { badRequest } from '../../api/status.ts';
import { anonymous, type User } from '../../api/user.ts';

/** What the headers ask for, before anyone has said yes. */
export interface Impersonation {
  readonly user: User;
  /** Every permission it takes, all with verb impersonate. */
  readonly needs: readonly ImpersonationNeed[];
}

export type ImpersonationNeed = Pick<ResourceAccess, 'group' | 'resource' | 'subresource' | 'namespace' | 'name'>;

const prefix = 'impersonate-';
const extraPrefix = 'impersonate-extra-';
const serviceAccountPrefix = 'system:serviceaccount:';

/** Who `rawHeaders` ask to be; undefined when they carry no Impersonate- header. Throws BadRequest for half a request. Pure. */
export function parseImpersonation(rawHeaders: readonly string[]): Impersonation | undefined {
  const asked = collect(rawHeaders);
  if (asked === undefined) return undefined;
  const { users, groups, uids, extra } = asked;
  const [name, ...more] = users;
  if (name === undefined || name === '')
    throw badRequest('impersonating groups, a uid or extra needs Impersonate-User as well');
  if (more.length > 0 || uids.length > 1) throw badRequest('Impersonate-User and Impersonate-Uid may be sent once');

  const account = serviceAccount(name);
  const needs: ImpersonationNeed[] = [
    account === undefined
      ? need('users', name)
      : { ...need('serviceaccounts', account.name), namespace: account.namespace },
    ...groups.map((group) => need('groups', group)),
    ...uids.map((uid) => ({ ...need('uids', uid), group: 'authentication.k8s.io' })),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ({ ...need('userextras', value), group: 'authentication.k8s.io', subresource: key })),
    ),
  ];
  return { needs, user: { name, uid: uids[0] ?? '', groups: effectiveGroups(name, groups, account), extra } };
}

/** The first need that `authorize` denies, or undefined when all are granted. */
export function deniedImpersonation(
  { needs }: Impersonation,
  user: User,
  authorize: (request: ResourceAccess) => Decision,
): { readonly request: ResourceAccess; readonly decision: Decision } | undefined {
  for (const one of needs) {
    const request: ResourceAccess = { kind: 'resource', user, verb: 'impersonate', version: 'v1', ...one };
    const decision = authorize(request);
    if (!decision.allowed) return { request, decision };
  }
  return undefined;
}

interface Asked {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly uids: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

function collect(rawHeaders: readonly string[]): Asked | undefined {
  let found = false;
  const [users, groups, uids]: [string[], string[], string[]] = [[], [], []];
  const extra = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const raw = rawHeaders[i] ?? '';
    if (raw.length < prefix.length || (raw.charCodeAt(0) | 32) !== 105) continue; // 'i': most headers end here
    const name = raw.toLowerCase();
    if (!name.startsWith(prefix)) continue;
    found = true;
    const value = rawHeaders[i + 1] ?? '';
    if (name === 'impersonate-user') users.push(value);
    else if (name === 'impersonate-group') groups.push(value);
    else if (name === 'impersonate-uid') uids.push(value);
    else if (name.startsWith(extraPrefix)) {
      const key = extraKey(name.slice(extraPrefix.length));
      extra.set(key, [...(extra.get(key) ?? []), value]);
    } else throw badRequest(`the header ${name} asks for something that cannot be impersonated`);
  }
  return found ? { users, groups, uids, extra: Object.fromEntries(extra) } : undefined;
}

function extraKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    throw badRequest('an Impersonate-Extra- header holds a malformed escape', error);
  }
}

function need(resource: string, name: string): ImpersonationNeed {
  return { group: '', resource, subresource: '', namespace: '', name };
}

function serviceAccount(user: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!user.startsWith(serviceAccountPrefix)) return undefined;
  const [namespace, name, ...more] = user.slice(serviceAccountPrefix.length).split(':');
  if (namespace === undefined || name === undefined || namespace === '' || name === '' || more.length > 0)
    return undefined;
  return { namespace, name };
}

/** Groups that come with being anybody at all are added, as they would be had the user signed in. */
function effectiveGroups(
  name: string,
  asked: readonly string[],
  account: { readonly namespace: string } | undefined,
): readonly string[] {
  const implied =
    asked.length === 0 && account !== undefined
      ? ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`]
      : [];
  const groups = [...asked, ...implied];
  if (groups.includes('system:authenticated') || groups.includes('system:unauthenticated')) return groups;
  return [...groups, ...(name === anonymous.name ? anonymous.groups : ['system:authenticated'])];
}
