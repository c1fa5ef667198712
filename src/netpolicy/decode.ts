/**
 * NodeAllowList and PeerSetSlice objects as they come over the wire, made into typed values. A node enforces nothing
 * that it cannot read whole: anything of a wrong shape is refused, and what is in force stays.
 */
import type { KubeObject } from '../api/meta.ts';
import { badRequest } from '../api/status.ts';
import { parseAddress, parseBlock } from './address.ts';
import type { NodeAllowList, PeerSetSlice } from './allow-list.ts';
import { allowListApiVersion, maxSliceMembers } from './allow-list.ts';

type Check = (value: unknown) => boolean;

/** `object` as a NodeAllowList. Throws BadRequest when it is none; names the part that is wrong. */
export function decodeNodeAllowList(object: KubeObject): NodeAllowList {
  checkKind(object, 'NodeAllowList');
  const spec = fieldsOf(object['spec'], 'spec');
  check(spec, 'nodeAddresses', list(isAddress));
  check(spec, 'pods', list(isPod));
  check(spec, 'policySets', list(isPolicySet));
  check(spec, 'peerSets', list(isPeerSetId));
  return object as NodeAllowList; // every field that is read was checked above
}

/** `object` as a PeerSetSlice. Throws BadRequest when it is none. */
export function decodePeerSetSlice(object: KubeObject): PeerSetSlice {
  checkKind(object, 'PeerSetSlice');
  const spec = fieldsOf(object['spec'], 'spec');
  check(spec, 'peerSet', isPeerSetId);
  check(spec, 'addresses', optional(bounded(isAddress)));
  check(spec, 'endpoints', optional(bounded(isEndpoint)));
  return object as PeerSetSlice; // every field that is read was checked above
}

function checkKind({ apiVersion, kind }: KubeObject, wanted: string): void {
  if (apiVersion !== allowListApiVersion || kind !== wanted)
    throw badRequest(`not a ${wanted} of ${allowListApiVersion}`);
}

function check(fields: Readonly<Record<string, unknown>>, field: string, fits: Check): void {
  if (!fits(fields[field])) throw badRequest(`spec.${field} cannot be read`);
}

function fieldsOf(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw badRequest(`${path} cannot be read`);
  return value;
}

const isText: Check = (value) => typeof value === 'string';
const isAddress: Check = (value) => typeof value === 'string' && parseAddress(value)?.text === value;
const isCidr: Check = (value) => typeof value === 'string' && parseBlock(value) !== undefined;
const isPort: Check = (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535;
const isProtocol: Check = (value) => value === 'TCP' || value === 'UDP' || value === 'SCTP';
const isPeerSetId: Check = (value) => typeof value === 'string' && /^[np][0-9a-f]{32}$/.test(value);
const isPolicySetId: Check = (value) => typeof value === 'string' && /^[ie][0-9a-f]{32}$/.test(value);

const isEndpoint = record({ address: isAddress, protocol: isProtocol, port: isPort });
const isPod = record({
  uid: isText,
  namespace: isText,
  name: isText,
  addresses: list(isAddress),
  ingress: optional(isPolicySetId),
  egress: optional(isPolicySetId),
});
const isRule = record({
  peerSets: optional(list(isPeerSetId)),
  blocks: optional(list(record({ cidr: isCidr, except: optional(list(isCidr)) }))),
  ports: optional(list(record({ protocol: isProtocol, port: optional(isPort), endPort: optional(isPort) }))),
  endpointSets: optional(list(isPeerSetId)),
});
const isPolicySet = record({
  id: isPolicySetId,
  direction: (value) => value === 'ingress' || value === 'egress',
  policies: list(record({ policy: isText, rules: list(isRule) })),
});

function record(fields: Readonly<Record<string, Check>>): Check {
  // A field that is not known might restrict: what carries one is not understood, and so refused.
  return (value) =>
    isRecord(value) &&
    Object.keys(value).every((key) => Object.hasOwn(fields, key)) &&
    Object.entries(fields).every(([key, fits]) => fits(value[key]));
}

function list(fits: Check): Check {
  return (value) => Array.isArray(value) && value.every(fits);
}

function bounded(fits: Check): Check {
  return (value) => Array.isArray(value) && value.length <= maxSliceMembers && value.every(fits);
}

function optional(fits: Check): Check {
  return (value) => value === undefined || fits(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
