/**
 * The ranges of pod and of service addresses. Where pods have networks of their own these are private ranges that the
 * nodes route. Without isolation everything shares the machine's network, and the addresses are loopback's: on Linux
 * all of 127.0.0.0/8 is this machine without being configured, so each pod and each service can have one of its own.
 */
import { parseBlock } from '../netpolicy/address.ts';
import { UsageError } from './usage-error.ts';

export interface NetworkRanges {
  /** CIDR block of pod addresses. */
  readonly pods: string;
  /** CIDR block of service addresses. */
  readonly services: string;
}

/** What a pod is kept apart by: `auto` all that this machine gives, `none` nothing, in so many words. */
export type IsolationKind = 'auto' | 'none';

const defaults: Readonly<Record<IsolationKind, NetworkRanges>> = {
  auto: { pods: '10.244.0.0/16', services: '10.96.0.0/16' },
  none: { pods: '127.244.0.0/16', services: '127.96.0.0/16' },
};

/** Programs of the machine listen here: 127.0.0.1, 127.0.0.53, 127.0.1.1. */
const taken = '127.0.0.0/15';

/** The ranges asked for, or those that go with `isolation`. Throws UsageError for ranges that cannot work. */
export function networkRanges(
  isolation: IsolationKind,
  asked: { readonly clusterCidr?: string | undefined; readonly serviceCidr?: string | undefined },
): NetworkRanges {
  const { pods, services } = defaults[isolation];
  const ranges = { pods: asked.clusterCidr ?? pods, services: asked.serviceCidr ?? services };
  for (const [option, cidr] of [
    ['--cluster-cidr', ranges.pods],
    ['--service-cidr', ranges.services],
  ] as const) {
    if (isolation === 'none' && !isLoopback(cidr))
      throw new UsageError(`with --isolation none give ${option} a block inside 127.0.0.0/8, such as 127.244.0.0/16`);
    if (isolation === 'auto' && isLoopback(cidr))
      throw new UsageError(
        `${option} ${cidr} is loopback, which each pod has for itself: only --isolation none uses it`,
      );
    if (overlap(cidr, taken))
      throw new UsageError(`${option} ${cidr} holds addresses that programs of this machine listen on: give another`);
  }
  if (overlap(ranges.pods, ranges.services))
    throw new UsageError(`--cluster-cidr ${ranges.pods} and --service-cidr ${ranges.services} overlap: give others`);
  return ranges;
}

/** Whether all of `cidr` is this machine itself. */
export function isLoopback(cidr: string): boolean {
  const [block, loopback] = [parseBlock(cidr), parseBlock('127.0.0.0/8')];
  return (
    block !== undefined &&
    loopback !== undefined &&
    block.family === 4 &&
    block.first >= loopback.first &&
    block.last <= loopback.last
  );
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [parseBlock(one), parseBlock(other)];
  return a !== undefined && b !== undefined && a.family === b.family && a.first <= b.last && b.first <= a.last;
}
