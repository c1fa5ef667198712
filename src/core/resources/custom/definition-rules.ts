/**
 * What a CustomResourceDefinition has to be. Fields, words and order as upstream has them.
 * Source: apiextensions.k8s.io/v1 CustomResourceDefinition.
 */
import type { KubeObject } from '../../../api/meta.ts';
import { isEstablished } from '../../../api/schema/custom/kind.ts';
import { hasRules, parseStructural, partsOf } from '../../../api/schema/custom/structural.ts';
import type { Structural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';
import { at, equal, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../validate/causes.ts';
import { dns1035Label, dnsSubdomain } from '../validate/names.ts';
import { areTooMany } from './pattern.ts';
import type { RuleValidator } from './rules.ts';
import { defaultCauses, schemaCauses } from './schema-rules.ts';
import { structuralCauses } from './structural-rules.ts';
import { conversionCauses, versionCauses } from './version-rules.ts';

const approvalAnnotation = 'api-approved.kubernetes.io';

/** What is wrong with `definition` as it is. */
export function definitionCauses(definition: KubeObject, rules: RuleValidator | undefined): readonly FieldCause[] {
  const spec = fieldsOf(definition['spec']);
  const names = fieldsOf(spec['names']);
  if (areTooMany(patternsIn(spec))) {
    return [invalidValue('spec.versions', '', 'the patterns of the schemas are too large together')];
  }
  const wanted = `${textOf(names['plural'])}.${textOf(spec['group'])}`;
  const { name } = definition.metadata;
  return [
    ...(name === wanted ? [] : [invalidValue('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]),
    ...approvalCauses(definition, textOf(spec['group'])),
    ...groupCauses(textOf(spec['group'])),
    ...scopeCauses(textOf(spec['scope'])),
    ...versionsCauses(spec, rules),
    ...['plural', 'singular', 'kind', 'listKind'].flatMap((field) =>
      textOf(names[field]) === '' ? [required(`spec.names.${field}`)] : [],
    ),
    ...namesCauses(names, 'spec.names'),
    ...conversionCauses(spec),
    ...(spec['preserveUnknownFields'] === true
      ? [invalidValue('spec.preserveUnknownFields', true, 'must be false')]
      : []),
  ];
}

/** The patterns that the schemas of all versions declare. */
function patternsIn(spec: Fields): ReadonlySet<string> {
  const found = new Set<string>();
  const walk = (schema: Structural): void => {
    if (schema.pattern !== '') found.add(schema.pattern);
    for (const part of partsOf(schema)) walk(part);
  };
  for (const version of listOf(spec['versions'])) walk(parseStructural(at(version, 'schema', 'openAPIV3Schema')));
  return found;
}

/** What may not change as it did. */
export function definitionUpdateCauses(next: KubeObject, old: KubeObject): readonly FieldCause[] {
  const fixed = (...path: readonly string[]): readonly FieldCause[] => {
    const value = at(next, ...path);
    return equal(value, at(old, ...path)) ? [] : [invalidValue(path.join('.'), value, 'field is immutable')];
  };
  const versions = listOf(at(next, 'spec', 'versions')).map((version) => fieldsOf(version)['name']);
  return [
    ...(isEstablished(old) ? [...fixed('spec', 'scope'), ...fixed('spec', 'names', 'kind')] : []),
    ...fixed('spec', 'group'),
    ...fixed('spec', 'names', 'plural'),
    ...listOf(at(next, 'status', 'storedVersions')).flatMap((version, index) =>
      versions.includes(version)
        ? []
        : [invalidValue(`status.storedVersions[${index}]`, version, 'must appear in spec.versions')],
    ),
  ];
}

/** Whether the group is one of Kubernetes' own, which nobody takes by accident. */
export function isProtectedGroup(group: string): boolean {
  return ['k8s.io', 'kubernetes.io'].some((domain) => group === domain || group.endsWith(`.${domain}`));
}

/** What the approval annotation says: a URL of the approval, or openly none. */
export function approvalOf(definition: KubeObject): 'approved' | 'unapproved' | 'missing' | 'invalid' {
  const said = definition.metadata.annotations?.[approvalAnnotation] ?? '';
  if (said === '') return 'missing';
  if (said.startsWith('unapproved')) return 'unapproved';
  return URL.canParse(said) ? 'approved' : 'invalid';
}

function approvalCauses(definition: KubeObject, group: string): readonly FieldCause[] {
  if (!isProtectedGroup(group)) return [];
  const field = `metadata.annotations[${approvalAnnotation}]`;
  const approval = approvalOf(definition);
  const why = `protected groups must have approval annotation "${approvalAnnotation}", see https://github.com/kubernetes/enhancements/pull/1111`;
  if (approval === 'missing') return [required(field, why)];
  return approval === 'invalid'
    ? [invalidValue(field, definition.metadata.annotations?.[approvalAnnotation], why)]
    : [];
}

function groupCauses(group: string): readonly FieldCause[] {
  if (group === '') return [required('spec.group')];
  const why = dnsSubdomain(group);
  if (why !== undefined) return [invalidValue('spec.group', group, why)];
  // Objects of our own that have no kind lie under such names in the store.
  if (group === 'gatehouse.dev' || group.endsWith('.gatehouse.dev')) {
    return [invalidValue('spec.group', group, 'is reserved for the server itself')];
  }
  return group.includes('.') ? [] : [invalidValue('spec.group', group, 'should be a domain with at least one dot')];
}

function scopeCauses(scope: string): readonly FieldCause[] {
  if (scope === '') return [required('spec.scope')];
  return scope === 'Cluster' || scope === 'Namespaced'
    ? []
    : [notSupported('spec.scope', scope, ['Cluster', 'Namespaced'])];
}

function versionsCauses(spec: Fields, rules: RuleValidator | undefined): readonly FieldCause[] {
  const versions = listOf(spec['versions']).map(fieldsOf);
  const names = versions.map((version) => textOf(version['name']));
  const field = 'spec.versions';
  const shown = names;
  return [
    ...versions.flatMap((version, index) => {
      const path = `${field}[${index}]`;
      const why = dns1035Label(textOf(version['name']));
      return [
        ...(why === undefined ? [] : [invalidValue(`${path}.name`, version['name'], why)]),
        ...versionSchemaCauses(version, path, rules),
        ...versionCauses(version, path),
      ];
    }),
    ...(new Set(names).size === names.length ? [] : [invalidValue(field, shown, 'must contain unique version names')]),
    ...(versions.filter((version) => version['storage'] === true).length === 1
      ? []
      : [invalidValue(field, shown, 'must have exactly one version marked as storage version')]),
  ];
}

/** Words that may stand at the root of a schema when the status is apart: junctors there would see half an object. */
const notAtRoot = ['anyOf', 'allOf', 'oneOf', 'not', 'additionalProperties', 'nullable', 'default'];

function versionSchemaCauses(version: Fields, path: string, rules: RuleValidator | undefined): readonly FieldCause[] {
  const field = `${path}.schema.openAPIV3Schema`;
  const raw = at(version, 'schema', 'openAPIV3Schema');
  if (raw === undefined) return [required(field, 'schemas are required')];
  const given = fieldsOf(raw);
  const hasStatus = at(version, 'subresources', 'status') !== undefined;
  const atRoot = hasStatus ? notAtRoot.filter((name) => given[name] !== undefined) : [];
  const spelled = [
    ...(atRoot.length === 0
      ? []
      : [
          invalidValue(
            field,
            atRoot,
            'only ["description" "example" "externalDocs" "format" "items" "pattern" "properties" "required" "title" "type" "x-kubernetes-preserve-unknown-fields" "x-kubernetes-validations"] fields are allowed at the root of the schema if the status subresource is enabled',
          ),
        ]),
    ...schemaCauses(given, field),
  ];
  const schema = parseStructural(given);
  const structural = [...spelled, ...structuralCauses(schema, field)];
  if (structural.length > 0) return structural;
  return [...defaultCauses(schema, field), ...ruleCauses(given, field, rules)];
}

function ruleCauses(raw: Fields, field: string, rules: RuleValidator | undefined): readonly FieldCause[] {
  const schema = parseStructural(raw);
  if (!hasRules(schema)) return [];
  if (rules !== undefined) return rules.faults(schema, field);
  const where = pathOfRules(schema, field) ?? field;
  return [
    forbiddenField(
      `${where}.x-kubernetes-validations`,
      'rules in CEL are not enforced by this server, so a kind that relies on them is refused',
    ),
  ];
}

function pathOfRules(schema: ReturnType<typeof parseStructural>, path: string): string | undefined {
  if (schema.rules.length > 0) return path;
  for (const [name, inner] of schema.properties) {
    const found = pathOfRules(inner, `${path}.properties[${name}]`);
    if (found !== undefined) return found;
  }
  const inItems = schema.items === undefined ? undefined : pathOfRules(schema.items, `${path}.items`);
  if (inItems !== undefined || typeof schema.additional !== 'object') return inItems;
  return pathOfRules(schema.additional, `${path}.additionalProperties`);
}

function namesCauses(names: Fields, path: string): readonly FieldCause[] {
  const spelled = (field: string, value: string, prefix = ''): readonly FieldCause[] => {
    const why =
      value === ''
        ? undefined
        : dns1035Label(value.toLowerCase() === value || prefix !== '' ? value.toLowerCase() : value);
    return why === undefined ? [] : [invalidValue(`${path}.${field}`, value, `${prefix}${why}`)];
  };
  const kind = textOf(names['kind']);
  const listKind = textOf(names['listKind']);
  const mixed = 'may have mixed case, but should otherwise match: ';
  return [
    ...spelled('plural', textOf(names['plural'])),
    ...spelled('singular', textOf(names['singular'])),
    ...spelled('kind', kind, mixed),
    ...spelled('listKind', listKind, mixed),
    ...listOf(names['shortNames']).flatMap((name, index) => spelled(`shortNames[${index}]`, textOf(name))),
    ...(kind !== '' && kind === listKind
      ? [invalidValue(`${path}.listKind`, listKind, 'kind and listKind may not be the same')]
      : []),
    ...listOf(names['categories']).flatMap((name, index) => spelled(`categories[${index}]`, textOf(name))),
  ];
}
