/**
 * The baseline standard: what lets a pod reach its host. One function for each check.
 * Source: Pod Security Standards of Kubernetes 1.33, messages of k8s.io/pod-security-admission.
 */
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import type { Check, Subject } from './subject.ts';
import { containersWhere, distinct, naming, plural, quoted, setters } from './subject.ts';

const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainer = 'container.seccomp.security.alpha.kubernetes.io/';

/** AppArmor: the runtime's default or a profile of the node, by field or by annotation. */
export const appArmorProfile: Check = (subject) => {
  const badType = (security: unknown): string | undefined => {
    const type = at(security, 'appArmorProfile', 'type');
    return type === undefined || type === 'RuntimeDefault' || type === 'Localhost' ? undefined : textOf(type);
  };
  const ofPod = badType(subject.security);
  const names = containersWhere(subject, ({ security }) => badType(security) !== undefined);
  const annotations = Object.entries(subject.annotations)
    .filter(([key, value]) => key.startsWith(appArmorPrefix) && !allowedAppArmor(value))
    .map(([key, value]) => `${key}="${value}"`)
    .toSorted();
  const who = [
    setters(ofPod !== undefined, names),
    annotations.length > 0 ? plural('annotation', annotations) : '',
  ].filter((text) => text !== '');
  if (who.length === 0) return undefined;
  const types = [ofPod, ...subject.containers.map(({ security }) => badType(security))];
  const values = [...distinct(types.filter((type) => type !== undefined)), ...annotations];
  return {
    reason: plural('forbidden AppArmor profile', values),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

function allowedAppArmor(value: string): boolean {
  return value === '' || value === 'runtime/default' || value.startsWith('localhost/');
}

/** What a container runtime gives by default. Source: Pod Security Standards, baseline, Capabilities. */
const defaultCapabilities: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

/** Capabilities: none is added that a runtime would not give anyway. */
export const baselineCapabilities: Check = (subject) => {
  const added = (security: unknown): readonly string[] =>
    listOf(at(security, 'capabilities', 'add'))
      .map(textOf)
      .filter((name) => !defaultCapabilities.has(name));
  const names = containersWhere(subject, ({ security }) => added(security).length > 0);
  if (names.length === 0) return undefined;
  const which = distinct(subject.containers.flatMap(({ security }) => added(security)));
  return {
    reason: 'non-default capabilities',
    detail: `${naming(names)} must not include ${quoted(which)} in securityContext.capabilities.add`,
  };
};

/** The host's network, processes and shared memory stay the host's. */
export const hostNamespaces: Check = ({ spec }) => {
  const used = ['hostNetwork', 'hostPID', 'hostIPC'].filter((name) => spec[name] === true);
  if (used.length === 0) return undefined;
  return { reason: 'host namespaces', detail: used.map((name) => `${name}=true`).join(', ') };
};

/** No folder of the host. */
export const hostPathVolumes: Check = ({ spec }) => {
  const names = listOf(spec['volumes'])
    .filter((volume) => at(volume, 'hostPath') !== undefined)
    .map((volume) => textOf(at(volume, 'name')));
  if (names.length === 0) return undefined;
  return { reason: 'hostPath volumes', detail: `${plural('volume', names)} ${quoted(names)}` };
};

/** No port of the host. */
export const hostPorts: Check = (subject) => {
  const used = (container: unknown): readonly string[] =>
    listOf(at(container, 'ports')).flatMap((port) => {
      const number = at(port, 'hostPort');
      return typeof number === 'number' && number !== 0 ? [`${number}`] : [];
    });
  const names = containersWhere(subject, ({ fields }) => used(fields).length > 0);
  if (names.length === 0) return undefined;
  const ports = distinct(subject.containers.flatMap(({ fields }) => used(fields)));
  return {
    reason: 'hostPort',
    detail: `${naming(names)} ${names.length === 1 ? 'uses' : 'use'} ${plural('hostPort', ports)} ${ports.join(', ')}`,
  };
};

/** No privileged container. */
export const privileged: Check = (subject) => {
  const names = containersWhere(subject, ({ security }) => security['privileged'] === true);
  if (names.length === 0) return undefined;
  return { reason: 'privileged', detail: `${naming(names)} must not set securityContext.privileged=true` };
};

/** /proc stays masked. */
export const procMount: Check = (subject) => {
  const bad = (security: Subject['security']): boolean => (security['procMount'] ?? 'Default') !== 'Default';
  const names = containersWhere(subject, ({ security }) => bad(security));
  if (names.length === 0) return undefined;
  const values = distinct(
    subject.containers.filter(({ security }) => bad(security)).map(({ security }) => textOf(security['procMount'])),
  );
  return {
    reason: 'procMount',
    detail: `${naming(names)} must not set securityContext.procMount to ${quoted(values)}`,
  };
};

/** SELinux: only the types of containers, no user and no role. `types` are those that this version of the standard knows. */
export function seLinuxOptions(types: readonly string[]): Check {
  const badType = (options: Subject['spec']): boolean => !['', ...types].includes(textOf(options['type']));
  const isSet = (options: Subject['spec'], field: string): boolean => textOf(options[field]) !== '';
  const isBad = (options: Subject['spec']): boolean =>
    badType(options) || isSet(options, 'user') || isSet(options, 'role');
  return (subject) => {
    const ofPod = fieldsOf(subject.security['seLinuxOptions']);
    const all = [ofPod, ...subject.containers.map(({ security }) => fieldsOf(security['seLinuxOptions']))];
    const names = containersWhere(subject, ({ security }) => isBad(fieldsOf(security['seLinuxOptions'])));
    const who = setters(isBad(ofPod), names);
    if (who === '') return undefined;
    const bad = distinct(all.filter(badType).map((options) => textOf(options['type'])));
    const what = [
      ...(bad.length > 0 ? [`${plural('type', bad)} ${quoted(bad)}`] : []),
      ...['user', 'role']
        .filter((field) => all.some((options) => isSet(options, field)))
        .map((field) => `${field} may not be set`),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}`,
    };
  };
}

/** Seccomp before 1.19: annotations. */
export const seccompAnnotations: Check = ({ annotations, containers }) => {
  const keys = [seccompPod, ...containers.map(({ name }) => `${seccompContainer}${name}`)];
  const bad = distinct(keys)
    .filter((key) => annotations[key] !== undefined && !allowedSeccomp(annotations[key]))
    .map((key) => `${key}="${annotations[key]}"`);
  if (bad.length === 0) return undefined;
  return { reason: 'seccompProfile', detail: `forbidden ${plural('annotation', bad)} ${bad.join(', ')}` };
};

function allowedSeccomp(value: string): boolean {
  return value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/');
}

/** Seccomp: the runtime's default or a profile of the node, where a profile is named. */
export const baselineSeccomp: Check = (subject) => {
  const badType = (security: unknown): string | undefined => {
    const type = at(security, 'seccompProfile', 'type');
    return type === undefined || type === 'RuntimeDefault' || type === 'Localhost' ? undefined : textOf(type);
  };
  const ofPod = badType(subject.security);
  const who = setters(
    ofPod !== undefined,
    containersWhere(subject, ({ security }) => badType(security) !== undefined),
  );
  if (who === '') return undefined;
  const types = [ofPod, ...subject.containers.map(({ security }) => badType(security))];
  const values = distinct(types.filter((type) => type !== undefined));
  return {
    reason: 'seccompProfile',
    detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
  };
};

/** Sysctls: only the `safe` ones of this version of the standard. */
export function sysctls(safe: readonly string[]): Check {
  return ({ security }) => {
    const names = distinct(
      listOf(security['sysctls'])
        .map((sysctl) => textOf(at(sysctl, 'name')))
        .filter((name) => !safe.includes(name)),
    );
    return names.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: names.join(', ') };
  };
}

/** No Windows container that runs as a process of its host. */
export const windowsHostProcess: Check = (subject) => {
  const isHost = (security: unknown): boolean => at(security, 'windowsOptions', 'hostProcess') === true;
  const who = setters(
    isHost(subject.security),
    containersWhere(subject, ({ security }) => isHost(security)),
  );
  if (who === '') return undefined;
  return { reason: 'hostProcess', detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
};
