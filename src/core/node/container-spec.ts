/** From the API's pod to what the runtime is asked for. */
import type { Container, Pod } from '../../api/types/core.ts';
import { milliUnits, parseQuantity, wholeUnits } from '../../std/quantity.ts';
import { environmentOf, expand } from './environment.ts';
import type { EnvironmentSources } from './environment.ts';
import { RuntimeError } from './runtimes/runtime.ts';
import type { ContainerLimits, ContainerSpec, Mount, SandboxSpec } from './runtimes/runtime.ts';
import { makeSubPath, subPathOf } from './sub-path.ts';
import type { PreparedVolume } from './volumes.ts';

/** The node as its pods see it. */
export interface NodeIdentity {
  readonly name: string;
  /** Its own address, which pods see as hostIP. */
  readonly address: string;
  /** Name servers for pods; empty when the cluster has no DNS. */
  readonly nameservers: readonly string[];
  readonly clusterDomain: string;
}

/** The sandbox of `pod`; `address` is undefined where it has none of its own. */
export function sandboxSpecOf(pod: Pod, address: string | undefined, node: NodeIdentity): SandboxSpec {
  const { name, namespace = '', uid = '' } = pod.metadata;
  const hostname = pod.spec.hostname ?? name.slice(0, 63).replace(/[-.]+$/, '');
  return {
    uid,
    namespace,
    name,
    hostname,
    network:
      pod.spec.hostNetwork === true
        ? { kind: 'host' }
        : address === undefined
          ? { kind: 'none' }
          : { kind: 'routed', address },
    hosts: hostsFile(pod, hostname, address, node),
    resolvConf: resolvConf(pod, namespace, node),
  };
}

function hostsFile(pod: Pod, hostname: string, address: string | undefined, node: NodeIdentity): string {
  const { subdomain } = pod.spec;
  const full =
    subdomain === undefined
      ? []
      : [`${hostname}.${subdomain}.${pod.metadata.namespace ?? ''}.svc.${node.clusterDomain}`];
  const own = address === undefined ? [] : [[address, ...full, hostname].join('\t')];
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => [ip, ...hostnames].join('\t'));
  return `${['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', ...own, ...aliases].join('\n')}\n`;
}

function resolvConf(pod: Pod, namespace: string, node: NodeIdentity): string {
  const inCluster = pod.spec.dnsPolicy === undefined || pod.spec.dnsPolicy.startsWith('ClusterFirst');
  const more = pod.spec.dnsConfig;
  const domain = node.clusterDomain;
  const searches = [
    ...(inCluster && node.nameservers.length > 0 ? [`${namespace}.svc.${domain}`, `svc.${domain}`, domain] : []),
    ...(more?.searches ?? []),
  ];
  const servers = [...(inCluster ? node.nameservers : []), ...(more?.nameservers ?? [])];
  const options = [
    ...(inCluster ? ['ndots:5'] : []),
    ...(more?.options ?? []).map(({ name = '', value }) => (value === undefined ? name : `${name}:${value}`)),
  ];
  const lines = [
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}`]),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
  ];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** One attempt at `container`. Throws RuntimeError for what cannot be given. */
export async function containerSpecOf(asked: {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly volumes: readonly PreparedVolume[];
  /** The file of the host for its last words. */
  readonly messageFile: string;
  readonly sources: EnvironmentSources;
}): Promise<ContainerSpec> {
  const { pod, container, attempt, volumes, sources } = asked;
  const env = await environmentOf(pod, container, sources);
  const values = new Map(env.map(({ name, value }) => [name, value]));
  const security = { ...pod.spec.securityContext, ...container.securityContext };
  refusePrivilege(container);
  if (security.runAsNonRoot === true && security.runAsUser === 0) {
    throw new RuntimeError('CreateContainerConfigError', "container's runAsUser breaks non-root policy");
  }
  const groups = [
    ...(pod.spec.securityContext?.supplementalGroups ?? []),
    ...(pod.spec.securityContext?.fsGroup === undefined ? [] : [pod.spec.securityContext.fsGroup]),
  ];
  return {
    sandbox: pod.metadata.uid ?? '',
    name: container.name,
    attempt,
    image: container.image ?? '',
    command: (container.command ?? []).map((text) => expand(text, values)),
    args: (container.args ?? []).map((text) => expand(text, values)),
    env,
    ...(container.workingDir === undefined ? {} : { workingDir: container.workingDir }),
    mounts: [
      ...(await Promise.all((container.volumeMounts ?? []).map((mount) => mountOf(mount, volumes, values)))),
      ...messageMount(container, asked.messageFile),
    ],
    ...(security.runAsUser === undefined ? {} : { user: security.runAsUser }),
    ...(security.runAsGroup === undefined ? {} : { group: security.runAsGroup }),
    ...(groups.length === 0 ? {} : { supplementalGroups: groups }),
    limits: limitsOf(container),
    ...(container.stdin === true ? { stdin: true } : {}),
    ...(container.tty === true ? { tty: true } : {}),
  };
}

/** What would make a container more than an ordinary user is not given here, and said. */
function refusePrivilege({ name, securityContext: asked }: Container): void {
  const wants =
    asked?.privileged === true
      ? 'privileged'
      : (asked?.capabilities?.add ?? []).length > 0
        ? 'capabilities.add'
        : undefined;
  if (wants === undefined) return;
  throw new RuntimeError(
    'Unsupported',
    `container ${name}: ${wants} is not given by this runtime, its containers are ordinary users: leave it out`,
  );
}

async function mountOf(
  mount: NonNullable<Container['volumeMounts']>[number],
  volumes: readonly PreparedVolume[],
  env: ReadonlyMap<string, string>,
): Promise<Mount> {
  const volume = volumes.find(({ name }) => name === mount.name);
  if (volume === undefined) throw new RuntimeError('CreateContainerConfigError', `volume ${mount.name} is not there`);
  const { hostPath, live } = volume;
  const whole = { hostPath, path: mount.mountPath, readOnly: mount.readOnly === true || live };
  const subPath = subPathOf(mount, env);
  if (subPath === '') return whole;
  await makeSubPath(volume, subPath);
  return { ...whole, subPath };
}

/** Where the container leaves its last words. In a volume there is no place for it: then its log has to do. */
function messageMount(
  { terminationMessagePath: path = '', volumeMounts = [] }: Container,
  hostPath: string,
): readonly Mount[] {
  const isVolumes = volumeMounts.some(({ mountPath }) => `${path}/`.startsWith(`${mountPath.replace(/\/+$/, '')}/`));
  return path === '' || isVolumes ? [] : [{ hostPath, path, readOnly: false }];
}

function limitsOf({ resources }: Container): ContainerLimits {
  const memory = parseQuantity(resources?.limits?.['memory'] ?? '');
  const cpu = parseQuantity(resources?.limits?.['cpu'] ?? '');
  return {
    ...(memory === undefined ? {} : { memoryBytes: wholeUnits(memory) }),
    ...(cpu === undefined ? {} : { cpuMillis: milliUnits(cpu) }),
  };
}
