/** Metadata, which every kind has: names, labels, annotations, owners, finalizers. Source: apimachinery, api/validation. */
import type { KubeObject } from '../../../api/meta.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { FieldCause } from '../../../api/status.ts';
import { storageName } from '../address.ts';
import { forbiddenField, invalidValue, required, tooLong } from './causes.ts';
import type { Spelling } from './names.ts';
import { dns1035Label, dnsLabel, dnsSubdomain, labelValue, pathSegment, qualifiedName } from './names.ts';

/** Bytes of all annotations of an object. Source: apimachinery, TotalAnnotationSizeLimitB. */
const maxAnnotationBytes = 256 * 1024;

/** Kinds whose names are spelled other than as a DNS subdomain. */
const spellings: ReadonlyMap<string, Spelling> = new Map([
  ['namespaces', dnsLabel],
  ['services', dns1035Label],
  ['roles.rbac.authorization.k8s.io', pathSegment],
  ['rolebindings.rbac.authorization.k8s.io', pathSegment],
  ['clusterroles.rbac.authorization.k8s.io', pathSegment],
  ['clusterrolebindings.rbac.authorization.k8s.io', pathSegment],
  ['statefulsets.apps', dnsSubdomain],
]);

/** What is wrong with the metadata of a new object. */
export function metadataCauses(type: ResourceType, object: KubeObject): readonly FieldCause[] {
  const { name, generateName = '' } = object.metadata;
  const spelling = spellings.get(storageName(type)) ?? dnsSubdomain;
  const causes: FieldCause[] = [];
  if (name === '') causes.push(required('metadata.name', 'name or generateName is required'));
  else {
    const why = spelling(name);
    if (why !== undefined) causes.push(invalidValue('metadata.name', name, why));
  }
  const prefixWhy = generateName === '' ? undefined : spelling(`${generateName.slice(0, 58)}x`);
  if (prefixWhy !== undefined) causes.push(invalidValue('metadata.generateName', generateName, prefixWhy));
  return [...causes, ...commonCauses(object)];
}

/** What is wrong with the metadata of an object that changes from `old`. */
export function metadataUpdateCauses(next: KubeObject, old: KubeObject): readonly FieldCause[] {
  const causes = [...commonCauses(next)];
  const { finalizers = [], name } = next.metadata;
  if (name !== old.metadata.name) causes.push(invalidValue('metadata.name', name, 'field is immutable'));
  if (old.metadata.deletionTimestamp !== undefined) {
    const added = finalizers.filter((finalizer) => !(old.metadata.finalizers ?? []).includes(finalizer));
    if (added.length > 0) {
      const list = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
      causes.push(
        forbiddenField(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`,
        ),
      );
    }
  }
  return causes;
}

function commonCauses({ metadata }: KubeObject): readonly FieldCause[] {
  return [
    ...labelCauses(metadata.labels, 'metadata.labels'),
    ...annotationCauses(metadata.annotations ?? {}),
    ...(metadata.finalizers ?? []).flatMap((finalizer, index) => {
      const field = `metadata.finalizers[${index}]`;
      const why = qualifiedName(finalizer);
      if (why !== undefined) return [invalidValue(field, finalizer, why)];
      const isKnown = finalizer.includes('/') || ['orphan', 'foregroundDeletion', 'kubernetes'].includes(finalizer);
      return isKnown
        ? []
        : [invalidValue(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')];
    }),
    ...ownerCauses(metadata.ownerReferences ?? []),
  ];
}

/** What is wrong with labels (or what is spelled as labels are) in `field`. */
export function labelCauses(
  labels: Readonly<Record<string, string>> | undefined,
  field: string,
): readonly FieldCause[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => {
    const [keyWhy, valueWhy] = [qualifiedName(key), labelValue(value)];
    return [
      ...(keyWhy === undefined ? [] : [invalidValue(field, key, keyWhy)]),
      ...(valueWhy === undefined ? [] : [invalidValue(field, value, valueWhy)]),
    ];
  });
}

function annotationCauses(annotations: Readonly<Record<string, string>>): readonly FieldCause[] {
  const field = 'metadata.annotations';
  let bytes = 0;
  const causes: FieldCause[] = [];
  for (const [key, value] of Object.entries(annotations)) {
    const why = qualifiedName(key.toLowerCase());
    if (why !== undefined) causes.push(invalidValue(field, key, why));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxAnnotationBytes) causes.push(tooLong(field, maxAnnotationBytes));
  return causes;
}

function ownerCauses(owners: NonNullable<KubeObject['metadata']['ownerReferences']>): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  let controller: string | undefined;
  for (const [index, owner] of owners.entries()) {
    const field = `metadata.ownerReferences[${index}]`;
    if (owner.apiVersion === '')
      causes.push(invalidValue(`${field}.apiVersion`, owner.apiVersion, 'version must not be empty'));
    if (owner.kind === '') causes.push(invalidValue(`${field}.kind`, owner.kind, 'must not be empty'));
    if (owner.name === '') causes.push(invalidValue(`${field}.name`, owner.name, 'must not be empty'));
    if (owner.uid === '') causes.push(invalidValue(`${field}.uid`, owner.uid, 'must not be empty'));
    if (owner.controller !== true) continue;
    if (controller !== undefined) {
      causes.push(
        invalidValue(
          'metadata.ownerReferences',
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
        ),
      );
    }
    controller = owner.name;
  }
  return causes;
}
