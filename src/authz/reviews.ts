/**
 * The review APIs of authorization.k8s.io: questions about access as objects, answered in their status.
 * The `…Request` functions turn a spec into the request it asks about; whoever may ask is the gateway's business.
 * Messages as upstream.
 */
import type { AccessRequest, Decision } from '../api/access.ts';
import type { FieldCause } from '../api/status.ts';
import { badRequest, invalid } from '../api/status.ts';
import type {
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewStatus,
  SubjectRulesReviewStatus,
} from '../api/types/authorization.ts';
import type { FieldSelectorRequirement } from '../api/types/meta.ts';
import type { User } from '../api/user.ts';
import type { Authorizer, HeldRules } from './authorizer.ts';

const group = 'authorization.k8s.io';

interface Attributes {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

/** The request that a SubjectAccessReview asks about. Throws Invalid for a spec that names nobody or nothing. */
export function subjectAccessRequest({ spec }: SubjectAccessReview): AccessRequest {
  const causes = [...attributeCauses(spec), ...subjectCauses(spec)];
  if (causes.length > 0) throw invalid(group, 'SubjectAccessReview', '', causes);
  return toRequest(spec, userOf(spec));
}

/** The request that a LocalSubjectAccessReview in `namespace` asks about. Throws Invalid, also for another namespace or a path. */
export function localSubjectAccessRequest(review: LocalSubjectAccessReview, namespace: string): AccessRequest {
  const { spec } = review;
  const causes = [...attributeCauses(spec), ...subjectCauses(spec)];
  const asked = spec.resourceAttributes?.namespace ?? '';
  if (spec.resourceAttributes !== undefined && asked !== namespace) {
    causes.push(wrong('resourceAttributes.namespace', JSON.stringify(asked), 'must match metadata.namespace'));
  }
  if (spec.nonResourceAttributes !== undefined) {
    const value = JSON.stringify(spec.nonResourceAttributes);
    causes.push(wrong('nonResourceAttributes', value, 'disallowed on this kind of request'));
  }
  if (causes.length > 0) throw invalid(group, 'LocalSubjectAccessReview', '', causes);
  return toRequest(spec, userOf(spec));
}

/** The request that a SelfSubjectAccessReview asks about for `user`. Throws Invalid for a spec that asks nothing. */
export function selfSubjectAccessRequest({ spec }: SelfSubjectAccessReview, user: User): AccessRequest {
  const causes = attributeCauses(spec);
  if (causes.length > 0) throw invalid(group, 'SelfSubjectAccessReview', '', causes);
  return toRequest(spec, user);
}

/** The status that answers an access review. */
export function accessReviewStatus(decision: Decision): SubjectAccessReviewStatus {
  return { allowed: decision.allowed, ...(decision.reason === '' ? {} : { reason: decision.reason }) };
}

/** The status that answers a SelfSubjectRulesReview of `user`. Throws BadRequest without a namespace. */
export function rulesReviewStatus(
  { spec }: SelfSubjectRulesReview,
  user: User,
  authorizer: Pick<Authorizer, 'rulesFor'>,
): SubjectRulesReviewStatus {
  const namespace = spec.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const held: HeldRules = authorizer.rulesFor(user, namespace);
  return {
    resourceRules: held.rules
      .filter((rule) => (rule.resources ?? []).length > 0)
      .map(({ verbs, apiGroups = [], resources = [], resourceNames = [] }) => ({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames.length === 0 ? {} : { resourceNames }),
      })),
    nonResourceRules: held.rules
      .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
      .map(({ verbs, nonResourceURLs = [] }) => ({ verbs, nonResourceURLs })),
    incomplete: held.incomplete,
    ...(held.evaluationError === undefined ? {} : { evaluationError: held.evaluationError }),
  };
}

function userOf(spec: SubjectAccessReview['spec']): User {
  return { name: spec.user ?? '', uid: spec.uid ?? '', groups: spec.groups ?? [], extra: spec.extra ?? {} };
}

function toRequest({ resourceAttributes, nonResourceAttributes }: Attributes, user: User): AccessRequest {
  if (resourceAttributes === undefined) {
    return { kind: 'path', user, verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' };
  }
  const { verb = '', group = '', version = '', resource = '', subresource = '' } = resourceAttributes;
  const { namespace = '', name = '', fieldSelector, labelSelector } = resourceAttributes;
  const fields = fieldSelector?.rawSelector ?? fieldText(fieldSelector?.requirements ?? []);
  const labels = labelSelector?.rawSelector ?? '';
  return {
    kind: 'resource',
    user,
    verb,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    ...(fields === '' ? {} : { fieldSelector: fields }),
    ...(labels === '' ? {} : { labelSelector: labels }),
  };
}

/** Requirements as text, as far as text can say them: `In` with one value. Others are left out, which only narrows less. */
function fieldText(requirements: readonly FieldSelectorRequirement[]): string {
  return requirements
    .filter(({ operator, values = [] }) => operator === 'In' && values.length === 1)
    .map(({ key, values = [] }) => `${key}=${(values[0] ?? '').replaceAll(/[\\,=]/g, String.raw`\$&`)}`)
    .join(',');
}

function attributeCauses({ resourceAttributes, nonResourceAttributes }: Attributes): FieldCause[] {
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined) {
    const value = JSON.stringify(nonResourceAttributes);
    return [wrong('nonResourceAttributes', value, 'cannot be specified in combination with resourceAttributes')];
  }
  if (resourceAttributes === undefined && nonResourceAttributes === undefined) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    return [wrong('resourceAttributes', 'null', why)];
  }
  return [];
}

function subjectCauses({ user = '', groups = [] }: SubjectAccessReview['spec']): readonly FieldCause[] {
  if (user !== '' || groups.length > 0) return [];
  return [wrong('user', '""', 'at least one of user or group must be specified')];
}

function wrong(field: string, value: string, why: string): FieldCause {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${value}: ${why}`, field: `spec.${field}` };
}
