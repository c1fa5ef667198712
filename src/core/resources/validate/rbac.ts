/** Roles and bindings. Source: rbac.authorization.k8s.io/v1; wording of kube-apiserver's validation. */
import type { KubeObject } from '../../../api/meta.ts';
import type { FieldCause } from '../../../api/status.ts';
import { at, equal, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import { forbiddenField, invalidValue, notSupported, required } from './causes.ts';
import type { KindChecks } from './checks.ts';
import { selectorCauses } from './selector.ts';

const rbac = 'rbac.authorization.k8s.io';

function ruleCauses(rule: unknown, field: string, isNamespaced: boolean): readonly FieldCause[] {
  const [verbs, groups, resources, urls] = ['verbs', 'apiGroups', 'resources', 'nonResourceURLs'].map(
    (name) => listOf(at(rule, name)).length,
  );
  const causes: FieldCause[] = [];
  if (verbs === 0) causes.push(required(`${field}.verbs`, 'verbs must contain at least one value'));
  if (urls !== undefined && urls > 0) {
    if (isNamespaced)
      causes.push(
        invalidValue(
          `${field}.nonResourceURLs`,
          at(rule, 'nonResourceURLs'),
          'namespaced rules cannot apply to non-resource URLs',
        ),
      );
    if ((groups ?? 0) + (resources ?? 0) + listOf(at(rule, 'resourceNames')).length > 0) {
      causes.push(
        invalidValue(
          `${field}.nonResourceURLs`,
          at(rule, 'nonResourceURLs'),
          'rules cannot apply to both regular resources and non-resource URLs',
        ),
      );
    }
    return causes;
  }
  if (groups === 0) causes.push(required(`${field}.apiGroups`, 'resource rules must supply at least one api group'));
  if (resources === 0) causes.push(required(`${field}.resources`, 'resource rules must supply at least one resource'));
  return causes;
}

function rules(object: KubeObject, isNamespaced: boolean): readonly FieldCause[] {
  return listOf(object['rules']).flatMap((rule, index) => ruleCauses(rule, `rules[${index}]`, isNamespaced));
}

export const roleChecks: KindChecks = { object: (object) => rules(object, true) };

export const clusterRoleChecks: KindChecks = {
  object: (object) => [
    ...rules(object, false),
    ...listOf(at(object, 'aggregationRule', 'clusterRoleSelectors')).flatMap((selector, index) =>
      selectorCauses(selector, `aggregationRule.clusterRoleSelectors[${index}]`),
    ),
  ],
};

function subjectCauses(subject: unknown, field: string): readonly FieldCause[] {
  const { kind, name = '', namespace = '', apiGroup = '' } = fieldsOf(subject);
  const causes: FieldCause[] = [];
  if (name === '') causes.push(required(`${field}.name`));
  if (kind === 'ServiceAccount') {
    if (apiGroup !== '') causes.push(notSupported(`${field}.apiGroup`, apiGroup, ['']));
    if (namespace === '') causes.push(required(`${field}.namespace`));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== rbac) causes.push(notSupported(`${field}.apiGroup`, apiGroup, [rbac]));
    if (namespace !== '') causes.push(forbiddenField(`${field}.namespace`, `may not be set for a ${kind}`));
  } else causes.push(notSupported(`${field}.kind`, kind ?? '', ['Group', 'ServiceAccount', 'User']));
  return causes;
}

function bindingChecks(kinds: readonly string[]): KindChecks {
  return {
    object: (object) => {
      const ref = fieldsOf(object['roleRef']);
      const causes: FieldCause[] = [];
      if (ref['apiGroup'] !== rbac) causes.push(notSupported('roleRef.apiGroup', ref['apiGroup'] ?? '', [rbac]));
      if (!kinds.includes(textOf(ref['kind']))) causes.push(notSupported('roleRef.kind', ref['kind'] ?? '', kinds));
      if (textOf(ref['name']) === '') causes.push(required('roleRef.name'));
      return [
        ...causes,
        ...listOf(object['subjects']).flatMap((subject, index) => subjectCauses(subject, `subjects[${index}]`)),
      ];
    },
    update: (next, old) =>
      equal(next['roleRef'], old['roleRef']) ? [] : [invalidValue('roleRef', next['roleRef'], 'cannot change roleRef')],
  };
}

export const roleBindingChecks = bindingChecks(['ClusterRole', 'Role']);
export const clusterRoleBindingChecks = bindingChecks(['ClusterRole']);
