/**
 * The restricted standard: what a hardened pod says of itself, on top of the baseline. One function for each check.
 * Source: Pod Security Standards of Kubernetes 1.33, messages of k8s.io/pod-security-admission.
 */
import type { Fields } from '../../../std/value.ts';
import { at, fieldsOf, isFields, listOf, textOf } from '../../../std/value.ts';
import type { Check } from './subject.ts';
import { containersWhere, distinct, isWindows, naming, plural, quoted, setters } from './subject.ts';

/** `check`, for pods that are not meant for Windows. */
export function exceptWindows(check: Check): Check {
  return (subject) => (isWindows(subject) ? undefined : check(subject));
}

/** Every container gives up gaining privileges. */
export const allowPrivilegeEscalation: Check = (subject) => {
  const names = containersWhere(subject, ({ security }) => security['allowPrivilegeEscalation'] !== false);
  if (names.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${naming(names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

/** Every container drops all capabilities, and takes back at most the one to bind low ports. */
export const restrictedCapabilities: Check = (subject) => {
  const keeps = containersWhere(
    subject,
    ({ security }) => !listOf(at(security, 'capabilities', 'drop')).includes('ALL'),
  );
  const added = (security: unknown): readonly string[] =>
    listOf(at(security, 'capabilities', 'add'))
      .map(textOf)
      .filter((name) => name !== 'NET_BIND_SERVICE');
  const adds = containersWhere(subject, ({ security }) => added(security).length > 0);
  const which = distinct(subject.containers.flatMap(({ security }) => added(security)));
  const details = [
    ...(keeps.length > 0 ? [`${naming(keeps)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adds.length > 0
      ? [`${naming(adds)} must not include ${quoted(which)} in securityContext.capabilities.add`]
      : []),
  ];
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const allowedVolumes: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

/** Only volumes that lead to nothing of the host's. */
export const restrictedVolumes: Check = ({ spec }) => {
  const bad = listOf(spec['volumes'])
    .map(fieldsOf)
    .map((volume) => ({ name: textOf(volume['name']), kind: restrictedKind(volume) }))
    .filter(({ kind }) => kind !== undefined);
  if (bad.length === 0) return undefined;
  const names = bad.map(({ name }) => name);
  const kinds = distinct(bad.map(({ kind }) => kind ?? ''));
  return {
    reason: 'restricted volume types',
    detail: `${plural('volume', names)} ${quoted(names)} ${names.length === 1 ? 'uses' : 'use'} ${plural('restricted volume type', kinds)} ${quoted(kinds)}`,
  };
};

/** The source of `volume` that the standard does not allow; 'unknown' where it has none at all. */
function restrictedKind(volume: Fields): string | undefined {
  const kinds = Object.keys(volume).filter((field) => isFields(volume[field]));
  return kinds.length === 0 ? 'unknown' : kinds.find((kind) => !allowedVolumes.has(kind));
}

/** Every container has to run as somebody other than root, by its own word or by the pod's. */
export const runAsNonRoot: Check = (subject) => {
  const who = setters(
    subject.security['runAsNonRoot'] === false,
    containersWhere(subject, ({ security }) => security['runAsNonRoot'] === false),
  );
  const reason = 'runAsNonRoot != true';
  if (who !== '') return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  if (subject.security['runAsNonRoot'] === true) return undefined;
  const silent = containersWhere(subject, ({ security }) => security['runAsNonRoot'] !== true);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${naming(silent)} must set securityContext.runAsNonRoot=true` };
};

/** Nobody names root as the user. */
export const runAsUser: Check = (subject) => {
  const isRoot = (user: unknown): boolean => user === 0 || user === 0n || user === '0';
  const who = setters(
    isRoot(subject.security['runAsUser']),
    containersWhere(subject, ({ security }) => isRoot(security['runAsUser'])),
  );
  return who === '' ? undefined : { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
};

/** Every container has a seccomp profile, by its own word or by the pod's. */
export const restrictedSeccomp: Check = (subject) => {
  const typeOf = (security: unknown): string | undefined => {
    const type = at(security, 'seccompProfile', 'type');
    return type === undefined ? undefined : textOf(type);
  };
  const isBad = (type: string | undefined): boolean =>
    type !== undefined && type !== 'RuntimeDefault' && type !== 'Localhost';
  const ofPod = typeOf(subject.security);
  const who = setters(
    isBad(ofPod),
    containersWhere(subject, ({ security }) => isBad(typeOf(security))),
  );
  const reason = 'seccompProfile';
  if (who !== '') {
    const types = [ofPod, ...subject.containers.map(({ security }) => typeOf(security))].filter(isBad);
    const values = distinct(types.filter((type) => type !== undefined));
    return { reason, detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(values)}` };
  }
  if (ofPod !== undefined) return undefined;
  const silent = containersWhere(subject, ({ security }) => typeOf(security) === undefined);
  if (silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${naming(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};
