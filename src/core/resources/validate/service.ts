/** Services and what is behind them. Source: core/v1 Service, Endpoints; discovery.k8s.io/v1 EndpointSlice. */
import ipaddr from 'ipaddr.js';
import type { KubeObject } from '../../../api/meta.ts';
import type { FieldCause } from '../../../api/status.ts';
import { at, equal, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import { duplicate, forbiddenField, invalidValue, notSupported, required } from './causes.ts';
import type { CheckContext, KindChecks } from './checks.ts';
import { labelCauses } from './metadata.ts';
import { dnsLabel, dnsSubdomain, isPort, portName, portRange } from './names.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const protocols = ['SCTP', 'TCP', 'UDP'];

function serviceCauses(service: KubeObject): readonly FieldCause[] {
  const spec = fieldsOf(service['spec']);
  const type = textOf(spec['type']);
  const isHeadless = spec['clusterIP'] === 'None';
  const ports = listOf(spec['ports']);
  const causes: FieldCause[] = [];
  if (!types.includes(type)) causes.push(notSupported('spec.type', type, types));
  if (type === 'ExternalName') {
    const name = textOf(spec['externalName']);
    const why = name === '' ? undefined : dnsSubdomain(name.replace(/\.$/, ''));
    if (name === '') causes.push(required('spec.externalName'));
    if (why !== undefined) causes.push(invalidValue('spec.externalName', name, why));
  } else if (ports.length === 0 && !isHeadless) causes.push(required('spec.ports'));
  if (isHeadless && (type === 'NodePort' || type === 'LoadBalancer')) {
    causes.push(invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`));
  }
  causes.push(...labelCauses(fieldsOf(spec['selector']) as Readonly<Record<string, string>>, 'spec.selector')); // decoded as a map of text
  const affinity = textOf(spec['sessionAffinity']);
  if (!['', 'ClientIP', 'None'].includes(affinity))
    causes.push(notSupported('spec.sessionAffinity', affinity, ['ClientIP', 'None']));
  for (const policy of ['externalTrafficPolicy', 'internalTrafficPolicy']) {
    const value = spec[policy];
    if (value !== undefined && !['Cluster', 'Local'].includes(textOf(value)))
      causes.push(notSupported(`spec.${policy}`, value, ['Cluster', 'Local']));
  }
  if (listOf(spec['ipFamilies']).includes('IPv6')) {
    causes.push(invalidValue('spec.ipFamilies[0]', 'IPv6', 'not configured on this cluster'));
  }
  if (spec['ipFamilyPolicy'] === 'RequireDualStack') {
    causes.push(
      invalidValue('spec.ipFamilyPolicy', 'RequireDualStack', 'this cluster is not configured for dual-stack services'),
    );
  }
  for (const [index, address] of listOf(spec['externalIPs']).entries()) {
    if (!ipaddr.isValid(textOf(address)))
      causes.push(
        invalidValue(
          `spec.externalIPs[${index}]`,
          address,
          'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
      );
  }
  return [...causes, ...portsCauses(ports, type)];
}

function portsCauses(ports: readonly unknown[], type: string): readonly FieldCause[] {
  const names = new Set<string>();
  const pairs = new Set<string>();
  return ports.flatMap((value, index) => {
    const field = `spec.ports[${index}]`;
    const { port, targetPort, nodePort } = fieldsOf(value);
    const [name, protocol] = [textOf(at(value, 'name')), textOf(at(value, 'protocol'))];
    const causes: FieldCause[] = [];
    const why = name === '' ? undefined : dnsLabel(name);
    if (name === '' && ports.length > 1) causes.push(required(`${field}.name`));
    if (why !== undefined) causes.push(invalidValue(`${field}.name`, name, why));
    if (name !== '' && names.has(name)) causes.push(duplicate(`${field}.name`, name));
    names.add(name);
    if (!isPort(port)) causes.push(invalidValue(`${field}.port`, port ?? 0, portRange));
    if (!protocols.includes(protocol)) causes.push(notSupported(`${field}.protocol`, protocol, protocols));
    if (typeof targetPort === 'number' && !isPort(targetPort))
      causes.push(invalidValue(`${field}.targetPort`, targetPort, portRange));
    const targetWhy = typeof targetPort === 'string' ? portName(targetPort) : undefined;
    if (targetWhy !== undefined) causes.push(invalidValue(`${field}.targetPort`, targetPort, targetWhy));
    if (type === 'ClusterIP' && nodePort !== undefined && nodePort !== 0)
      causes.push(forbiddenField(`${field}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    const pair = `${protocol}/${String(port)}`;
    if (pairs.has(pair)) causes.push(duplicate(field, { protocol, port }));
    pairs.add(pair);
    return causes;
  });
}

/** A service keeps its address as long as it has one by type. */
function serviceUpdateCauses(next: KubeObject, old: KubeObject): readonly FieldCause[] {
  const [before, after] = [textOf(at(old, 'spec', 'clusterIP')), textOf(at(next, 'spec', 'clusterIP'))];
  const isNamed = at(next, 'spec', 'type') === 'ExternalName' || at(old, 'spec', 'type') === 'ExternalName';
  if (isNamed || before === '' || before === after) return [];
  return [invalidValue('spec.clusterIPs[0]', after, 'may not change once set')];
}

export const serviceChecks: KindChecks = { object: serviceCauses, update: serviceUpdateCauses };

function addressCauses(address: string, field: string, { loopbackPods }: CheckContext): readonly FieldCause[] {
  if (!ipaddr.isValid(address))
    return [invalidValue(field, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  const parsed = ipaddr.process(address); // ::ffff:127.0.0.1 is 127.0.0.1
  const range = parsed.range();
  const isPod = loopbackPods.some((block) => parsed.kind() === 'ipv4' && parsed.match(ipaddr.parseCIDR(block)));
  if (range === 'loopback' && !isPod)
    return [invalidValue(field, address, 'may not be in the loopback range (127.0.0.0/8, ::1/128)')];
  if (range === 'linkLocal')
    return [invalidValue(field, address, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')];
  return range === 'unspecified' ? [invalidValue(field, address, 'may not be unspecified (0.0.0.0 or ::)')] : [];
}

export const endpointsChecks: KindChecks = {
  object: (object, context) =>
    listOf(object['subsets']).flatMap((subset, index) =>
      ['addresses', 'notReadyAddresses'].flatMap((list) =>
        listOf(at(subset, list)).flatMap((address, at_) =>
          addressCauses(textOf(at(address, 'ip')), `subsets[${index}].${list}[${at_}].ip`, context),
        ),
      ),
    ),
};

export const endpointSliceChecks: KindChecks = {
  object: (object, context) => {
    const type = textOf(object['addressType']);
    const known = ['FQDN', 'IPv4', 'IPv6'];
    if (type === '') return [required('addressType')];
    if (!known.includes(type)) return [notSupported('addressType', type, known)];
    return listOf(object['endpoints']).flatMap((endpoint, index) => {
      const addresses = listOf(at(endpoint, 'addresses'));
      const field = `endpoints[${index}].addresses`;
      if (addresses.length === 0) return [required(field, 'must contain at least 1 address')];
      if (type === 'FQDN') return [];
      return addresses.flatMap((address, at_) => addressCauses(textOf(address), `${field}[${at_}]`, context));
    });
  },
  update: (next, old) =>
    equal(next['addressType'], old['addressType'])
      ? []
      : [invalidValue('addressType', next['addressType'], 'field is immutable')],
};
