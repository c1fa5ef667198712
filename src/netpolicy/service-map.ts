/**
 * What the service proxy needs of Services and EndpointSlices: each address, protocol and port that clients dial, and
 * the endpoints behind it. Both back ends and `eval` read this one form.
 */
import type { Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import { parseAddress } from './address.ts';
import type { TransportProtocol } from './allow-list.ts';
import type { Translate } from './reachability.ts';
import { compareText } from './selector.ts';
import { transportProtocol } from './snapshot.ts';

export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
}

/** One port of one service in one family. With no endpoints it is refused, not dropped. */
export interface ServicePort {
  /** `namespace/name:port`, for people; never rendered. */
  readonly name: string;
  readonly address: string;
  readonly protocol: TransportProtocol;
  readonly port: number;
  /** Open on the node's own addresses too. */
  readonly nodePort?: number;
  readonly endpoints: readonly ServiceEndpoint[];
}

/**
 * The service ports of `services`, with the endpoints of `slices` that are ready (or, where none is, still serving while
 * they terminate), sorted. Headless services have none, nor has a protocol that is not known.
 */
export function servicePorts(services: Iterable<Service>, slices: Iterable<EndpointSlice>): readonly ServicePort[] {
  const slicesOf = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const service = slice.metadata.labels?.['kubernetes.io/service-name'];
    if (service === undefined) continue;
    const key = `${slice.metadata.namespace ?? 'default'}/${service}`;
    slicesOf.set(key, [...(slicesOf.get(key) ?? []), slice]);
  }
  const ports = [...services].flatMap((service) => {
    const key = `${service.metadata.namespace ?? 'default'}/${service.metadata.name}`;
    return portsOf(key, service, slicesOf.get(key) ?? []);
  });
  return ports.toSorted((a, b) => compareText(a.name, b.name) || compareText(a.address, b.address));
}

/** Where `servicePorts` send a flow; a flow to an address of a service, but to no port of it, is refused. */
export function translationOf(ports: readonly ServicePort[]): Translate {
  const addresses = new Set(ports.map(({ address }) => address));
  const endpoints = new Map(ports.map((one) => [`${one.address} ${one.protocol} ${one.port}`, one.endpoints]));
  return (to, protocol, port) => {
    if (!addresses.has(to.text)) return [{ to, protocol, port }];
    return (endpoints.get(`${to.text} ${protocol} ${port}`) ?? []).flatMap((endpoint) => {
      const address = parseAddress(endpoint.address);
      return address === undefined ? [] : [{ to: address, protocol, port: endpoint.port }];
    });
  };
}

function portsOf(key: string, { spec }: Service, slices: readonly EndpointSlice[]): readonly ServicePort[] {
  if (spec.type === 'ExternalName') return [];
  const texts = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  const addresses = texts.flatMap((text) => parseAddress(text) ?? []);
  return addresses.flatMap((address) =>
    (spec.ports ?? []).flatMap(({ name = '', port, nodePort, protocol: text }): readonly ServicePort[] => {
      const protocol = transportProtocol(text);
      if (protocol === undefined) return [];
      const family = slices.filter(({ addressType }) => addressType === `IPv${address.family}`);
      return [
        {
          name: `${key}:${name}`,
          address: address.text,
          protocol,
          port,
          ...(nodePort === undefined || nodePort === 0 ? {} : { nodePort }),
          endpoints: endpointsOf(family, name, protocol),
        },
      ];
    }),
  );
}

function endpointsOf(
  slices: readonly EndpointSlice[],
  name: string,
  protocol: TransportProtocol,
): readonly ServiceEndpoint[] {
  const all = slices.flatMap((slice) => {
    const found = (slice.ports ?? []).find(
      (port) => (port.name ?? '') === name && transportProtocol(port.protocol) === protocol,
    );
    if (found?.port === undefined) return [];
    const { port } = found;
    return (slice.endpoints ?? []).flatMap(({ addresses, conditions }) => {
      const address = parseAddress(addresses[0] ?? '')?.text;
      return address === undefined ? [] : [{ address, port, conditions }];
    });
  });
  const ready = all.filter(({ conditions }) => conditions?.ready !== false);
  const serving = all.filter(({ conditions }) => conditions?.serving === true && conditions.terminating === true);
  const chosen = new Map((ready.length > 0 ? ready : serving).map((one) => [`${one.address} ${one.port}`, one]));
  return [...chosen].toSorted(([a], [b]) => compareText(a, b)).map(([, { address, port }]) => ({ address, port }));
}
