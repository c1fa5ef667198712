import type { KubeObject } from '../api/meta.ts';
import { uncovered } from './cover.ts';
import { defaultPolicy } from './default-roles-table.ts';
import { aggregationOf, roleRefOf, rulesOf, subjectsOf } from './policy-object.ts';

/** What to write so that the default policy holds: `remove` first, since a binding's roleRef cannot be changed. */
export interface DefaultRolesPlan {
  readonly remove: readonly KubeObject[];
  readonly create: readonly KubeObject[];
  readonly update: readonly KubeObject[];
}

/**
 * Brings `existing` roles and bindings up to the default policy: what is missing is created; missing rules,
 * selectors, subjects, labels and annotations are added; nothing somebody added is taken away. An object with the
 * annotation rbac.authorization.kubernetes.io/autoupdate=false is left as it is. Empty when all is in place already.
 * Source: Kubernetes RBAC documentation, "Auto-reconciliation".
 */
export function planDefaultRoles(existing: readonly KubeObject[]): DefaultRolesPlan {
  const remove: KubeObject[] = [];
  const create: KubeObject[] = [];
  const update: KubeObject[] = [];
  for (const wanted of defaultPolicy as readonly unknown[] as readonly KubeObject[]) {
    const found = existing.find((object) => isSame(object, wanted));
    if (found === undefined) create.push(wanted);
    else if (found.metadata.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] !== 'false') {
      if (wanted.kind.endsWith('Binding') && !refersTo(found, wanted)) {
        remove.push(found);
        create.push({ ...wanted, subjects: union(subjectsOf(found), subjectsOf(wanted)) });
      } else {
        const mended = mend(found, wanted);
        if (mended !== undefined) update.push(mended);
      }
    }
  }
  return { remove, create, update };
}

/** `found` with what it lacks of `wanted`, or undefined when it lacks nothing. */
function mend(found: KubeObject, wanted: KubeObject): KubeObject | undefined {
  const changes: Record<string, unknown> = {};
  const labels = { ...wanted.metadata.labels, ...found.metadata.labels };
  const annotations = { ...wanted.metadata.annotations, ...found.metadata.annotations };
  if (size(labels) > size(found.metadata.labels) || size(annotations) > size(found.metadata.annotations)) {
    changes['metadata'] = { ...found.metadata, labels, annotations };
  }
  if (wanted.kind.endsWith('Binding')) {
    const subjects = union(subjectsOf(found), subjectsOf(wanted));
    if (subjects.length > subjectsOf(found).length) changes['subjects'] = subjects;
  } else {
    const selectors = aggregationOf(found) ?? [];
    const allSelectors = union(selectors, aggregationOf(wanted) ?? []);
    if (allSelectors.length > selectors.length) changes['aggregationRule'] = { clusterRoleSelectors: allSelectors };
    const missing = uncovered(rulesOf(found), rulesOf(wanted));
    if (missing.length > 0) changes['rules'] = [...rulesOf(found).map(slim), ...missing];
  }
  return size(changes) === 0 ? undefined : { ...found, ...changes };
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return (
    a.kind === b.kind &&
    a.metadata.name === b.metadata.name &&
    (a.metadata.namespace ?? '') === (b.metadata.namespace ?? '')
  );
}

function refersTo(found: KubeObject, wanted: KubeObject): boolean {
  const [a, b] = [roleRefOf(found), roleRefOf(wanted)];
  return a.kind === b.kind && a.name === b.name;
}

function union<T extends object>(found: readonly T[], wanted: readonly T[]): readonly object[] {
  const spelled = new Set(found.map((entry) => JSON.stringify(entry)));
  return [...found, ...wanted.filter((entry) => !spelled.has(JSON.stringify(entry)))].map(slim);
}

/** Without the fields that reading filled in as empty. */
function slim(entry: object): object {
  return Object.fromEntries(
    Object.entries(entry).filter(
      ([, value]) => value !== '' && !(Array.isArray(value) ? value.length === 0 : isEmptyRecord(value)),
    ),
  );
}

function isEmptyRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && size(value) === 0;
}

function size(value: object | undefined): number {
  return Object.keys(value ?? {}).length;
}
