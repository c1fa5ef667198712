/**
 * What the server says of a definition: which of its names are accepted, that it is served, which versions its objects may
 * be stored in. Said in the write that asks for it, so that a kind is there when its definition is. Pure.
 * Source: apiextensions.k8s.io/v1, the naming and establishing controllers.
 */
import type { KubeObject } from '../../../api/meta.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import { rfc3339 } from '../../../std/clock.ts';
import { equal, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import { approvalOf, isProtectedGroup } from './definition-rules.ts';

/** The store's name of the definitions. */
export const definitionsName = 'customresourcedefinitions.apiextensions.k8s.io';

/** What the server adds to a definition that is being deleted; it goes when the last object of the kind has gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export interface Surroundings {
  /** Every other definition, and the built-in types: whose names are taken. */
  readonly definitions: readonly KubeObject[];
  readonly builtin: readonly ResourceType[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** `definition` with its status brought up to date with its spec. The same value when nothing is new. */
export function withVerdict(definition: KubeObject, around: Surroundings): KubeObject {
  const spec = fieldsOf(definition['spec']);
  const status = fieldsOf(definition['status']);
  const now = rfc3339(around.now);
  const { acceptedNames, conflict } = acceptNames(definition, around);
  let conditions: readonly Fields[] = listOf(status['conditions']).map(fieldsOf);
  const set = (type: string, isTrue: boolean, reason: string, message: string): void => {
    conditions = withCondition(conditions, { type, status: isTrue ? 'True' : 'False', reason, message }, now);
  };
  if (conflict === undefined) {
    set('NamesAccepted', true, 'NoConflicts', 'no conflicts found');
    if (!has(conditions, 'Established')) {
      set('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted');
    }
  } else {
    set('NamesAccepted', false, conflict.reason, conflict.message);
    if (!has(conditions, 'Established')) set('Established', false, 'NotAccepted', 'not all names are accepted');
  }
  if (isProtectedGroup(textOf(spec['group']))) {
    const said = definition.metadata.annotations?.['api-approved.kubernetes.io'] ?? '';
    const approved = approvalOf(definition) === 'approved';
    set(
      'KubernetesAPIApprovalPolicyConformant',
      approved,
      approved ? 'ApprovedAnnotation' : 'UnapprovedAnnotation',
      approved ? `approved in ${said}` : `not approved: ${JSON.stringify(said)}`,
    );
  }
  const stored = listOf(status['storedVersions']).map(textOf);
  const storage = listOf(spec['versions'])
    .map(fieldsOf)
    .find((version) => version['storage'] === true);
  const current = textOf(storage?.['name']);
  const next = {
    ...status,
    conditions,
    acceptedNames,
    storedVersions: current === '' || stored.includes(current) ? stored : [...stored, current],
  };
  return equal(next, status) ? definition : { ...definition, status: next };
}

/** `definition` as it is while its objects are deleted: marked, held, and saying so. */
export function whileTerminating(
  definition: KubeObject,
  said: { readonly isTrue: boolean; readonly reason: string; readonly message: string },
  now: number,
): KubeObject {
  const status = fieldsOf(definition['status']);
  const condition = {
    type: 'Terminating',
    status: said.isTrue ? 'True' : 'False',
    reason: said.reason,
    message: said.message,
  };
  const conditions = withCondition(listOf(status['conditions']).map(fieldsOf), condition, rfc3339(now));
  return { ...definition, status: { ...status, conditions } };
}

function has(conditions: readonly Fields[], type: string): boolean {
  return conditions.some((condition) => condition['type'] === type && condition['status'] === 'True');
}

/** The time of a condition is that of its last change of status. */
function withCondition(
  conditions: readonly Fields[],
  next: { readonly type: string; readonly status: string; readonly reason: string; readonly message: string },
  now: string,
): readonly Fields[] {
  const before = conditions.find((condition) => condition['type'] === next.type);
  const since = before?.['status'] === next.status ? (before['lastTransitionTime'] ?? now) : now;
  const { type, status, reason, message } = next;
  const made = { lastTransitionTime: since, message, reason, status, type };
  if (before === undefined) return [...conditions, made];
  return conditions.map((condition) => (condition === before ? made : condition));
}

interface Accepted {
  readonly acceptedNames: Fields;
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

/** Names that nobody else in the group has are accepted; of those that are taken, the definition keeps what it had. */
function acceptNames(definition: KubeObject, around: Surroundings): Accepted {
  const spec = fieldsOf(definition['spec']);
  const group = textOf(spec['group']);
  const asked = fieldsOf(spec['names']);
  const had = fieldsOf(fieldsOf(definition['status'])['acceptedNames']);
  const taken = namesTaken(group, definition.metadata.name, around);
  const accepted: Record<string, unknown> = { ...had, plural: had['plural'] ?? '', kind: had['kind'] ?? '' };
  let conflict: Accepted['conflict'];
  const accept = (
    field: 'plural' | 'singular' | 'kind' | 'listKind',
    reason: string,
    used: ReadonlySet<string>,
  ): void => {
    const name = textOf(asked[field]);
    if (name === textOf(had[field]) || !used.has(name)) accepted[field] = name;
    else conflict = { reason, message: `${JSON.stringify(name)} is already in use` };
  };
  accept('plural', 'PluralConflict', taken.resources);
  accept('singular', 'SingularConflict', taken.resources);
  const shortNames = listOf(asked['shortNames']).map(textOf);
  const kept = listOf(had['shortNames']).map(textOf);
  const used = shortNames.filter((name) => !kept.includes(name) && taken.resources.has(name));
  if (used.length === 0) accepted['shortNames'] = shortNames;
  else {
    const message = used.map((name) => `${JSON.stringify(name)} is already in use`).join(', ');
    conflict = { reason: 'ShortNamesConflict', message };
  }
  accept('kind', 'KindConflict', taken.kinds);
  accept('listKind', 'ListKindConflict', taken.kinds);
  accepted['categories'] = listOf(asked['categories']);
  const nonEmpty = Object.entries(accepted).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return { acceptedNames: Object.fromEntries(nonEmpty), conflict };
}

function namesTaken(
  group: string,
  own: string,
  { definitions, builtin }: Surroundings,
): { readonly resources: ReadonlySet<string>; readonly kinds: ReadonlySet<string> } {
  const types = builtin.filter((type) => type.group === group);
  const others = definitions
    .filter(({ metadata, spec }) => metadata.name !== own && fieldsOf(spec)['group'] === group)
    .map(({ status }) => fieldsOf(fieldsOf(status)['acceptedNames']));
  return {
    resources: new Set([
      ...types.flatMap((type) => [type.resource, type.singular, ...type.shortNames]),
      ...others.flatMap((names) => [
        textOf(names['plural']),
        textOf(names['singular']),
        ...listOf(names['shortNames']).map(textOf),
      ]),
    ]),
    kinds: new Set([
      ...types.flatMap((type) => [type.kind, type.listKind]),
      ...others.flatMap((names) => [textOf(names['kind']), textOf(names['listKind'])]),
    ]),
  };
}
