/** Containers of a pod. Source: core/v1 Container; wording of kube-apiserver's validation. */
import type { FieldCause } from '../../../api/status.ts';
import type { Fields } from '../../../std/value.ts';
import { at, fieldsOf, isFields, listOf, textOf } from '../../../std/value.ts';
import { duplicate, forbiddenField, invalidValue, notFoundValue, notSupported, required } from './causes.ts';
import { resourceCauses } from './compute.ts';
import { dnsLabel, envName, isPort, portName, portRange } from './names.ts';

/** What is wrong with `container` at `field`. `volumeNames` are the pod's; an init container that ends has no probes. */
export function containerCauses(
  container: Fields,
  field: string,
  pod: { readonly volumeNames: ReadonlySet<string>; readonly isInit: boolean },
): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  const name = textOf(container['name']);
  const nameWhy = name === '' ? undefined : dnsLabel(name);
  if (name === '') causes.push(required(`${field}.name`));
  if (nameWhy !== undefined) causes.push(invalidValue(`${field}.name`, name, nameWhy));
  const image = textOf(container['image']);
  if (image === '') causes.push(required(`${field}.image`));
  else if (image.trim() !== image)
    causes.push(invalidValue(`${field}.image`, image, 'must not have leading or trailing whitespace'));
  const pull = textOf(container['imagePullPolicy']);
  const policies = ['Always', 'IfNotPresent', 'Never'];
  if (pull !== '' && !policies.includes(pull)) causes.push(notSupported(`${field}.imagePullPolicy`, pull, policies));
  causes.push(
    ...portCauses(listOf(container['ports']), `${field}.ports`),
    ...envCauses(listOf(container['env']), `${field}.env`),
    ...mountCauses(listOf(container['volumeMounts']), `${field}.volumeMounts`, pod.volumeNames),
    ...resourceCauses(fieldsOf(container['resources']), `${field}.resources`),
  );
  const isSidecar = container['restartPolicy'] === 'Always';
  if (container['restartPolicy'] !== undefined && !pod.isInit) {
    causes.push(forbiddenField(`${field}.restartPolicy`, 'may not be set for non-init containers'));
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const value = container[probe];
    if (!isFields(value)) continue;
    if (pod.isInit && !isSidecar)
      causes.push(
        forbiddenField(`${field}.${probe}`, 'may not be set for init containers without restartPolicy=Always'),
      );
    else causes.push(...probeCauses(value, `${field}.${probe}`, probe !== 'readinessProbe'));
  }
  return causes;
}

function portCauses(ports: readonly unknown[], field: string): readonly FieldCause[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const causes: FieldCause[] = [];
    const path = `${field}[${index}]`;
    const { containerPort, hostPort, protocol } = fieldsOf(port);
    const name = textOf(at(port, 'name'));
    const why = name === '' ? undefined : portName(name);
    if (why !== undefined) causes.push(invalidValue(`${path}.name`, name, why));
    if (name !== '' && names.has(name)) causes.push(duplicate(`${path}.name`, name));
    names.add(name);
    if (containerPort === undefined || containerPort === 0) causes.push(required(`${path}.containerPort`));
    else if (!isPort(containerPort)) causes.push(invalidValue(`${path}.containerPort`, containerPort, portRange));
    if (hostPort !== undefined && hostPort !== 0 && !isPort(hostPort))
      causes.push(invalidValue(`${path}.hostPort`, hostPort, portRange));
    if (!['TCP', 'UDP', 'SCTP'].includes(textOf(protocol)))
      causes.push(notSupported(`${path}.protocol`, textOf(protocol), ['SCTP', 'TCP', 'UDP']));
    return causes;
  });
}

function envCauses(env: readonly unknown[], field: string): readonly FieldCause[] {
  return env.flatMap((variable, index) => {
    const path = `${field}[${index}]`;
    const name = textOf(at(variable, 'name'));
    const causes: FieldCause[] = [];
    const why = name === '' ? undefined : envName(name);
    if (name === '') causes.push(required(`${path}.name`));
    if (why !== undefined) causes.push(invalidValue(`${path}.name`, name, why));
    const from = at(variable, 'valueFrom');
    if (!isFields(from)) return causes;
    const sources = Object.keys(from);
    if (textOf(at(variable, 'value')) !== '')
      causes.push(invalidValue(`${path}.valueFrom`, '', 'may not be specified when `value` is not empty'));
    if (sources.length === 0)
      causes.push(
        invalidValue(
          `${path}.valueFrom`,
          '',
          'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
        ),
      );
    if (sources.length > 1)
      causes.push(invalidValue(`${path}.valueFrom`, '', 'may not have more than one field specified at a time'));
    for (const kind of ['configMapKeyRef', 'secretKeyRef']) {
      if (isFields(from[kind]) && textOf(at(from, kind, 'key')) === '')
        causes.push(required(`${path}.valueFrom.${kind}.key`));
    }
    if (isFields(from['fieldRef']) && textOf(at(from, 'fieldRef', 'fieldPath')) === '')
      causes.push(required(`${path}.valueFrom.fieldRef.fieldPath`));
    return causes;
  });
}

function mountCauses(mounts: readonly unknown[], field: string, volumes: ReadonlySet<string>): readonly FieldCause[] {
  const paths = new Set<string>();
  return mounts.flatMap((mount, index) => {
    const path = `${field}[${index}]`;
    const [name, mountPath, subPath] = ['name', 'mountPath', 'subPath'].map((part) => textOf(at(mount, part)));
    const causes: FieldCause[] = [];
    if (name === undefined || name === '') causes.push(required(`${path}.name`));
    else if (!volumes.has(name)) causes.push(notFoundValue(`${path}.name`, name));
    if (mountPath === undefined || mountPath === '') causes.push(required(`${path}.mountPath`));
    else if (paths.has(mountPath)) causes.push(invalidValue(`${path}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath ?? '');
    if (subPath?.startsWith('/') === true)
      causes.push(invalidValue(`${path}.subPath`, subPath, 'must be a relative path'));
    if (subPath?.split('/').includes('..') === true)
      causes.push(invalidValue(`${path}.subPath`, subPath, "must not contain '..'"));
    return causes;
  });
}

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'];

function probeCauses(probe: Fields, field: string, succeedsOnce: boolean): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  const present = handlers.filter((handler) => isFields(probe[handler]));
  if (present.length === 0) causes.push(required(field, 'must specify a handler type'));
  for (const handler of present.slice(1))
    causes.push(forbiddenField(`${field}.${handler}`, 'may not specify more than 1 handler type'));
  if (isFields(probe['exec']) && listOf(at(probe, 'exec', 'command')).length === 0)
    causes.push(required(`${field}.exec.command`));
  for (const handler of ['httpGet', 'tcpSocket']) {
    if (!isFields(probe[handler])) continue;
    const port = at(probe, handler, 'port');
    if (typeof port === 'number' && !isPort(port))
      causes.push(invalidValue(`${field}.${handler}.port`, port, portRange));
    const why = typeof port === 'string' ? portName(port) : undefined;
    if (why !== undefined) causes.push(invalidValue(`${field}.${handler}.port`, port, why));
  }
  for (const name of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ]) {
    const value = probe[name];
    if (typeof value === 'number' && value < 0)
      causes.push(invalidValue(`${field}.${name}`, value, 'must be greater than or equal to 0'));
  }
  const threshold = probe['successThreshold'];
  if (succeedsOnce && typeof threshold === 'number' && threshold > 1)
    causes.push(invalidValue(`${field}.successThreshold`, threshold, 'must be 1'));
  return causes;
}
