/** The kernel's connection table: reading it, and cutting what is no longer allowed. Uses the `conntrack` program. */
import { deadline } from '../../std/clock.ts';
import type { Address } from '../address.ts';
import { parseAddress } from '../address.ts';
import type { TransportProtocol } from '../allow-list.ts';
import { transportProtocol } from '../snapshot.ts';
import { runCommand } from './command.ts';

/** One tracked connection: as its client dialled it, and where it was led to. */
export interface TrackedFlow {
  readonly protocol: TransportProtocol;
  readonly from: Address;
  readonly dialled: Address;
  readonly to: Address;
  readonly port: number;
  readonly sourcePort: number;
  readonly dialledPort: number;
}

const conntrackTimeoutMs = 5_000;

/** Whether the program is there. */
export async function hasConntrack(prefix: readonly string[]): Promise<boolean> {
  try {
    return (await runCommand([...prefix, 'conntrack', '--version'], '', deadline(conntrackTimeoutMs))).code === 0;
  } catch {
    return false; // not installed: the caller says so in its capabilities
  }
}

/** All tracked TCP, UDP and SCTP connections of both families. */
export async function trackedFlows(prefix: readonly string[]): Promise<readonly TrackedFlow[]> {
  const lists = await Promise.all(
    ['ipv4', 'ipv6'].map((family) =>
      runCommand([...prefix, 'conntrack', '-L', '-f', family], '', deadline(conntrackTimeoutMs)),
    ),
  );
  return lists.flatMap(({ stdout }) => stdout.split('\n').flatMap(parseFlow));
}

/** Forgets `flow`: its next packet is judged as a new connection's. One that is gone already is no error. */
export async function forgetFlow(prefix: readonly string[], flow: TrackedFlow): Promise<void> {
  const { protocol, from, dialled, sourcePort, dialledPort } = flow;
  const tuple = ['-s', from.text, '-d', dialled.text, '--sport', String(sourcePort), '--dport', String(dialledPort)];
  const argv = ['conntrack', '-D', '-f', `ipv${from.family}`, '-p', protocol.toLowerCase(), ...tuple];
  await runCommand([...prefix, ...argv], '', deadline(conntrackTimeoutMs));
}

/** One line of `conntrack -L`, if it is a connection with ports. */
export function parseFlow(line: string): readonly TrackedFlow[] {
  const protocol = transportProtocol((line.split(/\s+/, 1)[0] ?? '').toUpperCase() || 'none');
  const all = (key: string): readonly string[] =>
    [...line.matchAll(new RegExp(`(?:^|\\s)${key}=(\\S+)`, 'g'))].map((match) => match[1] ?? '');
  const [sources, destinations, sourcePorts, ports] = [all('src'), all('dst'), all('sport'), all('dport')];
  const from = parseAddress(sources[0] ?? '');
  const dialled = parseAddress(destinations[0] ?? '');
  const to = parseAddress(sources[1] ?? '');
  if (protocol === undefined || from === undefined || dialled === undefined || to === undefined) return [];
  const [sourcePort, dialledPort, port] = [Number(sourcePorts[0]), Number(ports[0]), Number(sourcePorts[1])];
  if ([sourcePort, dialledPort, port].some((one) => !Number.isInteger(one))) return [];
  return [{ protocol, from, dialled, to, port, sourcePort, dialledPort }];
}
