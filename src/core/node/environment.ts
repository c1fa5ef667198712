/** The environment of a container: what its spec says, resolved against the pod, its node, config maps, secrets and services. */
import type { Container, EnvVar, Pod, Service } from '../../api/types/core.ts';
import { parseQuantity, wholeUnits, milliUnits } from '../../std/quantity.ts';
import type { Quantity } from '../../std/quantity.ts';
import { RuntimeError } from './runtimes/runtime.ts';

/** Where values come from. The maps hold text by key; undefined means that the object does not exist. */
export interface EnvironmentSources {
  readonly configMap: (name: string) => Promise<ReadonlyMap<string, string> | undefined>;
  readonly secret: (name: string) => Promise<ReadonlyMap<string, string> | undefined>;
  /** Services of the pod's namespace, and `kubernetes` of default. */
  readonly services: readonly Service[];
  readonly podAddress: string | undefined;
  readonly hostAddress: string;
  /** What a container without limits may use at most. */
  readonly allocatable: { readonly cpu: string; readonly memory: string };
}

type Env = Map<string, string>;

/** The variables in the order in which they are set. Throws RuntimeError (CreateContainerConfigError's causes) for what is missing. */
export async function environmentOf(
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
): Promise<readonly { readonly name: string; readonly value: string }[]> {
  const env: Env = new Map();
  for (const [name, value] of serviceVariables(pod, sources.services)) env.set(name, value);
  for (const from of container.envFrom ?? []) {
    const source = from.configMapRef ?? from.secretRef;
    if (source === undefined) continue;
    const isSecret = from.configMapRef === undefined;
    const values = await (isSecret ? sources.secret : sources.configMap)(source.name ?? '');
    if (values === undefined) {
      if (source.optional === true) continue;
      throw missing(`${isSecret ? 'secret' : 'configmap'} "${source.name ?? ''}" not found`);
    }
    for (const [key, value] of values) env.set(`${from.prefix ?? ''}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = await valueOf(variable, { pod, container, sources, env });
    if (value !== undefined) env.set(variable.name, value);
  }
  return [...env].map(([name, value]) => ({ name, value }));
}

/** `$(NAME)` replaced by what is set before it; `$$(NAME)` stands for `$(NAME)`. What is not set stays as written. */
export function expand(text: string, env: ReadonlyMap<string, string>): string {
  return text.replaceAll(reference, (match, name: string | undefined) =>
    name === undefined ? '$' : (env.get(name) ?? match),
  );
}

/** The names that `expand` looks up in `text`. */
export function referenced(text: string): readonly string[] {
  return [...text.matchAll(reference)].flatMap(([, name]) => (name === undefined ? [] : [name]));
}

const reference = /\$\$|\$\(([A-Za-z0-9_.-]+)\)/g;

/** The value of a downward API field, or undefined when there is no such field. */
export function fieldValue(
  pod: Pod,
  path: string,
  node: Pick<EnvironmentSources, 'podAddress' | 'hostAddress'>,
): string | undefined {
  const key = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (key !== null) {
    const from = key[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return from?.[key[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'metadata.labels':
      return lines(pod.metadata.labels);
    case 'metadata.annotations':
      return lines(pod.metadata.annotations);
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.podIP':
    case 'status.podIPs':
      return node.podAddress ?? '';
    case 'status.hostIP':
    case 'status.hostIPs':
      return node.hostAddress;
    default:
      return undefined;
  }
}

/** A container's request or limit in units of `divisor`, rounded up; a missing limit is what the node has. */
export function resourceValue(
  container: Container | undefined,
  resource: string,
  divisor: string | undefined,
  allocatable: EnvironmentSources['allocatable'],
): string | undefined {
  const [kind, name = ''] = resource.split('.', 2);
  if (container === undefined || (kind !== 'limits' && kind !== 'requests')) return undefined;
  const whole = name === 'cpu' ? allocatable.cpu : name === 'memory' ? allocatable.memory : '0';
  const limit = container.resources?.limits?.[name];
  const written = kind === 'limits' ? (limit ?? whole) : (container.resources?.requests?.[name] ?? limit ?? '0');
  const value = parseQuantity(written);
  const unit = parseQuantity(divisor === undefined || divisor === '0' || divisor === '' ? '1' : divisor);
  if (value === undefined || unit === undefined) return undefined;
  return divide(value, unit, name);
}

function divide(value: Quantity, unit: Quantity, name: string): string {
  const amount = name === 'cpu' ? milliUnits : wholeUnits;
  return String(Math.ceil(amount(value) / Math.max(amount(unit), 1)));
}

interface Context {
  readonly pod: Pod;
  readonly container: Container;
  readonly sources: EnvironmentSources;
  readonly env: Env;
}

async function valueOf(variable: EnvVar, { pod, container, sources, env }: Context): Promise<string | undefined> {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? '', env);
  if (from.fieldRef !== undefined) {
    const value = fieldValue(pod, from.fieldRef.fieldPath, sources);
    if (value === undefined) throw missing(`fieldPath "${from.fieldRef.fieldPath}" is not supported`);
    return value;
  }
  if (from.resourceFieldRef !== undefined) {
    const { containerName = '', resource, divisor } = from.resourceFieldRef;
    const target = containerName === '' ? container : pod.spec.containers.find(({ name }) => name === containerName);
    const value = resourceValue(target, resource, divisor, sources.allocatable);
    if (value === undefined) throw missing(`resource "${resource}" is not supported`);
    return value;
  }
  if (from.configMapKeyRef !== undefined) return fromKey('configmap', sources.configMap, from.configMapKeyRef, pod);
  if (from.secretKeyRef !== undefined) return fromKey('secret', sources.secret, from.secretKeyRef, pod);
  return '';
}

async function fromKey(
  kind: string,
  read: EnvironmentSources['secret'],
  reference: { readonly name?: string; readonly key: string; readonly optional?: boolean },
  pod: Pod,
): Promise<string | undefined> {
  const values = await read(reference.name ?? '');
  const value = values?.get(reference.key);
  if (value !== undefined || reference.optional === true) return value;
  if (values === undefined) throw missing(`${kind} "${reference.name ?? ''}" not found`);
  const Kind = kind === 'secret' ? 'Secret' : 'ConfigMap';
  throw missing(
    `couldn't find key ${reference.key} in ${Kind} ${pod.metadata.namespace ?? ''}/${reference.name ?? ''}`,
  );
}

/** The variables by which a pod finds services without DNS. Source: upstream's service links. */
function* serviceVariables(pod: Pod, services: readonly Service[]): Generator<[string, string]> {
  for (const { metadata, spec } of services) {
    const isGateway = metadata.namespace === 'default' && metadata.name === 'kubernetes';
    if (!isGateway && (pod.spec.enableServiceLinks === false || metadata.namespace !== pod.metadata.namespace))
      continue;
    const [port] = spec.ports ?? [];
    if (spec.clusterIP === undefined || spec.clusterIP === '' || spec.clusterIP === 'None' || port === undefined)
      continue;
    const prefix = variableName(metadata.name);
    yield [`${prefix}_SERVICE_HOST`, spec.clusterIP];
    yield [`${prefix}_SERVICE_PORT`, String(port.port)];
    for (const each of spec.ports ?? []) {
      if (each.name !== undefined && each.name !== '') {
        yield [`${prefix}_SERVICE_PORT_${variableName(each.name)}`, String(each.port)];
      }
      const protocol = (each.protocol ?? 'TCP').toLowerCase();
      const url = `${protocol}://${spec.clusterIP}:${each.port}`;
      const link = `${prefix}_PORT_${each.port}_${protocol.toUpperCase()}`;
      if (each === port) yield [`${prefix}_PORT`, url];
      yield [link, url];
      yield [`${link}_PROTO`, protocol];
      yield [`${link}_PORT`, String(each.port)];
      yield [`${link}_ADDR`, spec.clusterIP];
    }
  }
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

function lines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join('\n');
}

function missing(message: string): RuntimeError {
  return new RuntimeError('CreateContainerConfigError', message);
}
