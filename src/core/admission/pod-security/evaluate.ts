/**
 * Which checks a level has in which version, and what they say of a pod. A check of the restricted level that says the
 * stricter part of a baseline check stands in for it. Order: baseline before restricted, each by id.
 * Source: k8s.io/pod-security-admission, policy.
 */
import type { LevelVersion } from './policy.ts';
import { newest } from './policy.ts';
import {
  appArmorProfile,
  baselineCapabilities,
  baselineSeccomp,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  privileged,
  procMount,
  seLinuxOptions,
  seccompAnnotations,
  sysctls,
  windowsHostProcess,
} from './baseline.ts';
import {
  allowPrivilegeEscalation,
  exceptWindows,
  restrictedCapabilities,
  restrictedSeccomp,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
} from './restricted.ts';
import type { Check, Subject, Violation } from './subject.ts';

interface Versioned {
  /** Minor versions of Kubernetes from which on each form holds, rising. */
  readonly from: readonly (readonly [since: number, check: Check])[];
  /** The baseline check that this one stands in for. */
  readonly replaces?: string;
}

const seLinuxTypes = ['container_t', 'container_init_t', 'container_kvm_t'];
const sysctls0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_syncookies',
];
const sysctls27 = [...sysctls0, 'net.ipv4.ip_local_reserved_ports'];
const sysctls29 = [
  ...sysctls27,
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
];
const sysctls32 = [...sysctls29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const baseline: ReadonlyMap<string, Versioned> = new Map<string, Versioned>([
  ['appArmorProfile', { from: [[0, appArmorProfile]] }],
  ['capabilities_baseline', { from: [[0, baselineCapabilities]] }],
  ['hostNamespaces', { from: [[0, hostNamespaces]] }],
  ['hostPathVolumes', { from: [[0, hostPathVolumes]] }],
  ['hostPorts', { from: [[0, hostPorts]] }],
  ['privileged', { from: [[0, privileged]] }],
  ['procMount', { from: [[0, procMount]] }],
  [
    'seLinuxOptions',
    {
      from: [
        [0, seLinuxOptions(seLinuxTypes)],
        [31, seLinuxOptions([...seLinuxTypes, 'container_engine_t'])],
      ],
    },
  ],
  [
    'seccompProfile_baseline',
    {
      from: [
        [0, seccompAnnotations],
        [19, baselineSeccomp],
      ],
    },
  ],
  [
    'sysctls',
    {
      from: [
        [0, sysctls(sysctls0)],
        [27, sysctls(sysctls27)],
        [29, sysctls(sysctls29)],
        [32, sysctls(sysctls32)],
      ],
    },
  ],
  ['windowsHostProcess', { from: [[0, windowsHostProcess]] }],
]);

const restricted: ReadonlyMap<string, Versioned> = new Map<string, Versioned>([
  [
    'allowPrivilegeEscalation',
    {
      from: [
        [8, allowPrivilegeEscalation],
        [25, exceptWindows(allowPrivilegeEscalation)],
      ],
    },
  ],
  [
    'capabilities_restricted',
    {
      replaces: 'capabilities_baseline',
      from: [
        [22, restrictedCapabilities],
        [25, exceptWindows(restrictedCapabilities)],
      ],
    },
  ],
  ['restrictedVolumes', { replaces: 'hostPathVolumes', from: [[0, restrictedVolumes]] }],
  ['runAsNonRoot', { from: [[0, runAsNonRoot]] }],
  ['runAsUser', { from: [[23, runAsUser]] }],
  [
    'seccompProfile_restricted',
    {
      replaces: 'seccompProfile_baseline',
      from: [
        [19, restrictedSeccomp],
        [25, exceptWindows(restrictedSeccomp)],
      ],
    },
  ],
]);

function inVersion({ from }: Versioned, minor: number): Check | undefined {
  return from.findLast(([since]) => since <= minor)?.[1];
}

function checksOf({ level, version }: LevelVersion): readonly Check[] {
  const minor = version === 'latest' ? newest : Math.min(version, newest);
  const isIn = (versioned: Versioned): boolean => inVersion(versioned, minor) !== undefined;
  const strict = level === 'restricted' ? [...restricted].filter(([, versioned]) => isIn(versioned)) : [];
  const replaced = new Set(strict.map(([, { replaces }]) => replaces));
  return [...[...baseline].filter(([id]) => !replaced.has(id)), ...strict].flatMap(([, versioned]) => {
    const check = inVersion(versioned, minor);
    return check === undefined ? [] : [check];
  });
}

/** What `standard` objects to in `subject`; nothing means that it conforms. */
export function violations(standard: LevelVersion, subject: Subject): readonly Violation[] {
  if (standard.level === 'privileged') return [];
  return checksOf(standard).flatMap((check) => check(subject) ?? []);
}

/** `reason (detail), …` as messages give it. */
export function described(found: readonly Violation[]): string {
  return found.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');
}
