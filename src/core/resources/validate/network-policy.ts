/** NetworkPolicies. Source: networking.k8s.io/v1; wording of kube-apiserver's validation. */
import ipaddr from 'ipaddr.js';
import type { KubeObject } from '../../../api/meta.ts';
import type { FieldCause } from '../../../api/status.ts';
import { at, fieldsOf, isFields, listOf, textOf } from '../../../std/value.ts';
import { forbiddenField, invalidValue, notSupported, required } from './causes.ts';
import type { KindChecks } from './checks.ts';
import { isPort, portName, portRange } from './names.ts';
import { selectorCauses } from './selector.ts';

export const networkPolicyChecks: KindChecks = { object: networkPolicyCauses };

function networkPolicyCauses(policy: KubeObject): readonly FieldCause[] {
  const spec = fieldsOf(policy['spec']);
  const causes = [...selectorCauses(spec['podSelector'], 'spec.podSelector')];
  for (const [direction, side] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    for (const [index, rule] of listOf(spec[direction]).entries()) {
      const field = `spec.${direction}[${index}]`;
      causes.push(
        ...listOf(at(rule, 'ports')).flatMap((port, at) => portCauses(port, `${field}.ports[${at}]`)),
        ...listOf(at(rule, side)).flatMap((peer, at) => peerCauses(peer, `${field}.${side}[${at}]`)),
      );
    }
  }
  const types = listOf(spec['policyTypes']);
  if (types.length > 2)
    return [...causes, invalidValue('spec.policyTypes', types, 'may not specify more than two policyTypes')];
  for (const [index, type] of types.entries()) {
    if (type !== 'Ingress' && type !== 'Egress')
      causes.push(notSupported(`spec.policyTypes[${index}]`, type, ['Egress', 'Ingress']));
  }
  return causes;
}

function portCauses(value: unknown, field: string): readonly FieldCause[] {
  const { protocol, port, endPort } = fieldsOf(value);
  const causes: FieldCause[] = [];
  if (protocol !== undefined && !['TCP', 'UDP', 'SCTP'].includes(textOf(protocol))) {
    causes.push(notSupported(`${field}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']));
  }
  if (port === undefined) {
    if (endPort !== undefined) causes.push(required(`${field}.port`, 'must be specified when `endPort` is specified'));
  } else if (typeof port === 'string') {
    if (endPort !== undefined) causes.push(required(`${field}.port`, 'must be an integer when `endPort` is specified'));
    const why = portName(port);
    if (why !== undefined) causes.push(invalidValue(`${field}.port`, port, why));
  } else {
    if (!isPort(port)) causes.push(invalidValue(`${field}.port`, port, portRange));
    if (endPort !== undefined && !isPort(endPort)) causes.push(invalidValue(`${field}.endPort`, endPort, portRange));
    else if (typeof endPort === 'number' && typeof port === 'number' && endPort < port) {
      causes.push(invalidValue(`${field}.endPort`, endPort, 'must be greater than or equal to `port`'));
    }
  }
  return causes;
}

function peerCauses(peer: unknown, field: string): readonly FieldCause[] {
  const { podSelector, namespaceSelector, ipBlock } = fieldsOf(peer);
  const causes: FieldCause[] = [];
  if (isFields(podSelector)) causes.push(...selectorCauses(podSelector, `${field}.podSelector`));
  if (isFields(namespaceSelector)) causes.push(...selectorCauses(namespaceSelector, `${field}.namespaceSelector`));
  if (isFields(ipBlock)) causes.push(...blockCauses(ipBlock, `${field}.ipBlock`));
  const kinds = [podSelector, namespaceSelector, ipBlock].filter(isFields).length;
  if (kinds === 0) causes.push(required(field, 'must specify a peer'));
  if (kinds > 1 && isFields(ipBlock))
    causes.push(forbiddenField(field, 'may not specify both ipBlock and another peer'));
  return causes;
}

type Block = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

const notBlock = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

function blockOf(cidr: string): Block | undefined {
  const isPlain = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\/\d{1,3}$/.test(cidr);
  if (!isPlain || !ipaddr.isValidCIDR(cidr)) return undefined;
  return ipaddr.parseCIDR(cidr);
}

function blockCauses(block: Readonly<Record<string, unknown>>, field: string): readonly FieldCause[] {
  const cidr = textOf(block['cidr']);
  if (cidr === '') return [required(`${field}.cidr`)];
  const outer = blockOf(cidr);
  if (outer === undefined) return [invalidValue(`${field}.cidr`, cidr, notBlock)];
  return listOf(block['except']).flatMap((except, index) => {
    const path = `${field}.except[${index}]`;
    const inner = blockOf(textOf(except));
    if (inner === undefined) return [invalidValue(path, except, notBlock)];
    return isStrictlyWithin(inner, outer) ? [] : [invalidValue(path, except, `must be a strict subset of \`cidr\``)];
  });
}

function isStrictlyWithin([inner, innerBits]: Block, [outer, outerBits]: Block): boolean {
  if (inner.kind() !== outer.kind() || innerBits <= outerBits) return false;
  return inner instanceof ipaddr.IPv4 && outer instanceof ipaddr.IPv4
    ? inner.match(outer, outerBits)
    : inner instanceof ipaddr.IPv6 && outer instanceof ipaddr.IPv6 && inner.match(outer, outerBits);
}
