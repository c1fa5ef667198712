/**
 * Field selectors: `spec.nodeName=a,status.phase!=Running`. Every kind can be selected by name and namespace, some by
 * a few fields more. Source: Kubernetes API concepts, "Field selectors"; messages as the API words them.
 */
import type { GroupResource, KubeObject } from './meta.ts';
import { badRequest } from './status.ts';

/** One condition: the field as text equals `value`, or does not when `negated`. */
export interface FieldRequirement {
  readonly field: string;
  readonly value: string;
  readonly negated: boolean;
}

export type FieldSelector = readonly FieldRequirement[];

const objectReference = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** What each resource can be selected by, besides name and namespace. */
const selectable: ReadonlyMap<string, readonly string[]> = new Map([
  [
    '/pods',
    [
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.schedulerName',
      'spec.serviceAccountName',
      'spec.hostNetwork',
      'status.phase',
      'status.podIP',
      'status.nominatedNodeName',
    ],
  ],
  [
    '/events',
    [...objectReference.map((part) => `involvedObject.${part}`), 'reason', 'reportingComponent', 'source', 'type'],
  ],
  [
    'events.k8s.io/events',
    [...objectReference.map((part) => `regarding.${part}`), 'reason', 'reportingController', 'type'],
  ],
  ['/namespaces', ['status.phase']],
  ['/nodes', ['spec.unschedulable']],
  ['/secrets', ['type']],
  ['/services', ['spec.clusterIP', 'spec.type']],
  ['/replicationcontrollers', ['status.replicas']],
  ['apps/replicasets', ['status.replicas']],
  ['batch/jobs', ['status.successful']],
  ['certificates.k8s.io/certificatesigningrequests', ['spec.signerName']],
]);

/** The selector that `text` spells for `of`; '' selects everything. Throws BadRequest where it does not parse or `of` has no such field; `more` are the fields that a custom kind declares. */
export function parseFieldSelector(of: GroupResource, text: string, more: readonly string[] = []): FieldSelector {
  return terms(text).map((term) => {
    const parts = /^((?:[^=!\\]|\\.)*)(!=|==|=)((?:[^\\]|\\.)*)$/s.exec(term);
    if (parts === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = '', operator = '', value = ''] = parts;
    if (!more.includes(field)) checkField(of, field);
    return { field, value: unescape(value, text), negated: operator === '!=' };
  });
}

/** Whether `object` has what `selector` asks for. A field that is absent is ''. */
export function matchesFields(selector: FieldSelector, object: KubeObject): boolean {
  return selector.every(({ field, value, negated }) => (fieldText(object, field) === value) !== negated);
}

/** The value that `metadata.name` must have, when the selector says so: then a list is a get. */
export function nameIn(selector: FieldSelector): string | undefined {
  return selector.find((term) => term.field === 'metadata.name' && !term.negated)?.value;
}

function checkField(of: GroupResource, field: string): void {
  if (field === 'metadata.name' || field === 'metadata.namespace') return;
  const more = selectable.get(`${of.group}/${of.resource}`);
  if (more?.includes(field) === true) return;
  if (more !== undefined) throw badRequest(`field label not supported: ${field}`);
  throw badRequest(
    `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

function terms(text: string): readonly string[] {
  return (text.match(/(?:[^,\\]|\\[\s\S]?)+/g) ?? []).filter((term) => term !== '');
}

function unescape(value: string, text: string): string {
  return value.replaceAll(/\\([\s\S]?)|=/g, (whole, escaped: string | undefined) => {
    if (escaped === '\\' || escaped === ',' || escaped === '=') return escaped;
    throw badRequest(
      `invalid field selector: ${text}: invalid field selector: invalid ${whole === '=' ? 'character' : 'escape sequence'}: ${whole}`,
    );
  });
}

function fieldText(object: KubeObject, field: string): string {
  const value = at(object, field);
  switch (field) {
    case 'spec.unschedulable':
    case 'spec.hostNetwork':
      return text(value ?? false);
    case 'status.replicas':
      return text(value ?? 0);
    case 'status.successful':
      return text(at(object, 'status.succeeded') ?? 0);
    case 'source':
      return text(at(object, 'source.component') ?? at(object, 'reportingComponent'));
    default:
      return text(value);
  }
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function at(object: unknown, path: string): unknown {
  let value = object;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}
