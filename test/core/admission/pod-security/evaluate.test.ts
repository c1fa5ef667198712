import { describe, expect, test } from 'vitest';
import { described, violations } from '../../../../src/core/admission/pod-security/evaluate.ts';
import type { LevelVersion } from '../../../../src/core/admission/pod-security/policy.ts';
import { subjectOf } from '../../../../src/core/admission/pod-security/subject.ts';

/** A container that conforms to the restricted standard. */
const hardened = (name: string, security: object = {}, more: object = {}): object => ({
  name,
  image: 'img',
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
    ...security,
  },
  ...more,
});

const plain = (name: string, securityContext: object = {}): object => ({ name, image: 'img', securityContext });

const says = (standard: LevelVersion, spec: object, annotations: object = {}): string =>
  described(violations(standard, subjectOf({ metadata: { annotations }, spec })));

const baseline: LevelVersion = { level: 'baseline', version: 'latest' };
const restricted: LevelVersion = { level: 'restricted', version: 'latest' };

interface Row {
  readonly spec: object;
  readonly annotations?: object;
  readonly version?: number;
  readonly finds: string;
}

const appArmor = 'container.apparmor.security.beta.kubernetes.io/';

describe('baseline', () => {
  test.for<Row>([
    { spec: { containers: [plain('a')] }, finds: '' },
    {
      spec: { securityContext: { appArmorProfile: { type: 'Unconfined' } }, containers: [plain('a')] },
      finds: 'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    },
    {
      spec: {
        containers: [plain('a', { appArmorProfile: { type: 'Localhost' } })],
        initContainers: [plain('b', { appArmorProfile: { type: 'Unconfined' } })],
      },
      finds: 'forbidden AppArmor profile (container "b" must not set AppArmor profile type to "Unconfined")',
    },
    {
      spec: { containers: [] },
      annotations: {
        [`${appArmor}a`]: '',
        [`${appArmor}b`]: 'runtime/default',
        [`${appArmor}c`]: 'localhost/x',
        [`${appArmor}f`]: 'unknown',
        [`${appArmor}e`]: 'unconfined',
      },
      finds: `forbidden AppArmor profiles (annotations must not set AppArmor profile type to "${appArmor}e="unconfined"", "${appArmor}f="unknown"")`,
    },
    { spec: { containers: [plain('a', { capabilities: { add: ['CHOWN', 'SYS_CHROOT'] } })] }, finds: '' },
    {
      spec: {
        containers: [
          plain('a', { capabilities: { add: ['SYS_TIME', 'CHOWN'] } }),
          plain('b', { capabilities: { add: ['NET_RAW'] } }),
        ],
      },
      finds:
        'non-default capabilities (containers "a", "b" must not include "NET_RAW", "SYS_TIME" in securityContext.capabilities.add)',
    },
    {
      spec: { hostIPC: true, hostPID: true, hostNetwork: true, containers: [] },
      finds: 'host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)',
    },
    {
      spec: {
        volumes: [
          { name: 'v', hostPath: { path: '/' } },
          { name: 'w', emptyDir: {} },
        ],
      },
      finds: 'hostPath volumes (volume "v")',
    },
    {
      spec: {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 1, hostPort: 80 },
              { containerPort: 2, hostPort: 0 },
            ],
          },
        ],
      },
      finds: 'hostPort (container "a" uses hostPort 80)',
    },
    {
      spec: {
        containers: [
          { name: 'a', ports: [{ hostPort: 80 }] },
          { name: 'b', ports: [{ hostPort: 443 }] },
        ],
      },
      finds: 'hostPort (containers "a", "b" use hostPorts 443, 80)',
    },
    {
      spec: {
        containers: [plain('a')],
        ephemeralContainers: [plain('debug', { privileged: true })],
      },
      finds: 'privileged (container "debug" must not set securityContext.privileged=true)',
    },
    {
      spec: { containers: [plain('a', { procMount: 'Unmasked' }), plain('b', { procMount: 'Default' })] },
      finds: 'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    },
    {
      spec: { securityContext: { seLinuxOptions: { type: 'container_engine_t', level: 's0' } }, containers: [] },
      finds: '',
    },
    {
      spec: { securityContext: { seLinuxOptions: { type: 'container_engine_t' } }, containers: [] },
      version: 30,
      finds: 'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
    },
    {
      spec: {
        securityContext: { seLinuxOptions: { user: 'u' } },
        containers: [plain('a', { seLinuxOptions: { role: 'r', type: 'x_t' } })],
      },
      finds:
        'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: type "x_t"; user may not be set; role may not be set)',
    },
    {
      spec: {
        securityContext: { seccompProfile: { type: 'Unconfined' } },
        containers: [plain('a', { seccompProfile: { type: 'Unconfined' } })],
      },
      finds: 'seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    },
    {
      spec: { containers: [plain('a', { seccompProfile: { type: 'Unconfined' } })] },
      annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' },
      version: 18,
      finds: 'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    },
    {
      spec: {
        securityContext: {
          sysctls: [{ name: 'net.ipv4.tcp_rmem' }, { name: 'kernel.msgmax' }, { name: 'a.b' }],
        },
      },
      finds: 'forbidden sysctls (a.b, kernel.msgmax)',
    },
    {
      spec: { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem' }] } },
      version: 31,
      finds: 'forbidden sysctls (net.ipv4.tcp_rmem)',
    },
    {
      spec: { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_fin_timeout' }] } },
      version: 28,
      finds: 'forbidden sysctls (net.ipv4.tcp_fin_timeout)',
    },
    {
      spec: { securityContext: { sysctls: [{ name: 'net.ipv4.ip_local_reserved_ports' }] } },
      version: 26,
      finds: 'forbidden sysctls (net.ipv4.ip_local_reserved_ports)',
    },
    {
      spec: {
        securityContext: { windowsOptions: { hostProcess: true } },
        containers: [plain('a', { windowsOptions: { hostProcess: true } })],
      },
      finds: 'hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    },
  ])('$finds', ({ spec, annotations, version, finds }) => {
    expect(says({ level: 'baseline', version: version ?? 'latest' }, spec, annotations)).toBe(finds);
  });
});

describe('restricted', () => {
  test.for<Row>([
    { spec: { containers: [hardened('a')], initContainers: [hardened('b')] }, finds: '' },
    {
      spec: {
        containers: [
          hardened('a', { allowPrivilegeEscalation: undefined }),
          hardened('b', { allowPrivilegeEscalation: true }),
        ],
      },
      finds:
        'allowPrivilegeEscalation != false (containers "a", "b" must set securityContext.allowPrivilegeEscalation=false)',
    },
    { spec: { containers: [hardened('a', { allowPrivilegeEscalation: true })] }, version: 7, finds: '' },
    {
      spec: { containers: [hardened('a', { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } })] },
      finds: '',
    },
    {
      spec: { containers: [hardened('a', { capabilities: { add: ['CHOWN'] } })] },
      finds:
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]; container "a" must not include "CHOWN" in securityContext.capabilities.add)',
    },
    {
      spec: { containers: [hardened('a', { capabilities: { add: ['SYS_TIME'] } })] },
      version: 21,
      finds: 'non-default capabilities (container "a" must not include "SYS_TIME" in securityContext.capabilities.add)',
    },
    {
      spec: {
        containers: [hardened('a')],
        volumes: [
          { name: 'h', hostPath: { path: '/' } },
          { name: 'c', configMap: { name: 'c' } },
          { name: 'n', nfs: { server: 's' } },
        ],
      },
      finds: 'restricted volume types (volumes "h", "n" use restricted volume types "hostPath", "nfs")',
    },
    {
      spec: { containers: [hardened('a')], volumes: [{ name: 'g', gitRepo: {}, emptyDir: null }] },
      finds: 'restricted volume types (volume "g" uses restricted volume type "gitRepo")',
    },
    {
      spec: { securityContext: { runAsNonRoot: true }, containers: [hardened('a', { runAsNonRoot: undefined })] },
      finds: '',
    },
    {
      spec: { containers: [hardened('a', { runAsNonRoot: undefined }), hardened('b')] },
      finds: 'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    },
    {
      spec: { securityContext: { runAsNonRoot: false }, containers: [hardened('a', { runAsNonRoot: false })] },
      finds: 'runAsNonRoot != true (pod and container "a" must not set securityContext.runAsNonRoot=false)',
    },
    {
      spec: {
        securityContext: { runAsUser: 0 },
        containers: [hardened('a', { runAsUser: 0 }), hardened('b', { runAsUser: 1 })],
      },
      finds: 'runAsUser=0 (pod and container "a" must not set runAsUser=0)',
    },
    { spec: { containers: [hardened('a', { runAsUser: 0 })] }, version: 22, finds: '' },
    {
      spec: { containers: [hardened('a', { seccompProfile: undefined })] },
      finds:
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    },
    {
      spec: {
        securityContext: { seccompProfile: { type: 'Localhost' } },
        containers: [hardened('a', { seccompProfile: undefined })],
      },
      finds: '',
    },
    {
      spec: { containers: [hardened('a', { seccompProfile: { type: 'Unconfined' } })] },
      finds: 'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    },
    { spec: { os: { name: 'windows' }, containers: [plain('a', { runAsNonRoot: true })] }, finds: '' },
    {
      spec: { os: { name: 'windows' }, containers: [hardened('a', { allowPrivilegeEscalation: true })] },
      version: 24,
      finds:
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    },
  ])('$finds', ({ spec, annotations, version, finds }) => {
    expect(says({ level: 'restricted', version: version ?? 'latest' }, spec, annotations)).toBe(finds);
  });

  test('holds to the baseline too, whose findings come first', () => {
    const container = hardened('a', { privileged: true, allowPrivilegeEscalation: true });
    expect(says(restricted, { hostNetwork: true, containers: [container] })).toBe(
      'host namespaces (hostNetwork=true), privileged (container "a" must not set securityContext.privileged=true), allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    );
  });

  test('says of a plain pod what it lacks', () => {
    expect(says(restricted, { containers: [plain('c')] })).toBe(
      'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });
});

test('privileged objects to nothing, and an unknown newer version is the newest', () => {
  const spec = { hostNetwork: true, containers: [plain('a')] };
  expect(says({ level: 'privileged', version: 'latest' }, spec)).toBe('');
  expect(says({ level: 'baseline', version: 999 }, spec)).toBe(says(baseline, spec));
});
