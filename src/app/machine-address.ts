import { networkInterfaces } from 'node:os';

/** An IPv4 address of this machine that others can reach; undefined when it has none but loopback. */
export function machineAddress(): string | undefined {
  const own = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    // Links of pods, and of bridges for containers, lead inward.
    /^(gh[0-9a-f]{12}|veth|docker|br-|cni)/.test(name) ? [] : (addresses ?? []),
  );
  return own.find(({ internal, family, address }) => !internal && family === 'IPv4' && !address.startsWith('169.254.'))
    ?.address;
}
