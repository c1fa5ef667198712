/**
 * A pod's network namespace, pinned as a file with its uts and ipc namespaces, and its routed link: the pod has its
 * address alone (/32) and sends everything to 169.254.1.1, which is the host's end of the link. No bridge, so that traffic
 * between two pods of a node passes the host's forward hook, where policy is enforced.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { PodNetwork } from '../runtime.ts';
import { RuntimeError } from '../runtime.ts';
import { run } from './run.ts';

const gateway = '169.254.1.1';

// Bytes: Ethernet's, IPv4's least, a veth's most.
const [defaultMtu, leastMtu, mostMtu] = [1500, 576, 65_535];

// Argument: the pod's address, or nothing. Input: commands for ip.
const configurePod = `
set -e
ip -batch -
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range 2>/dev/null || : # a user namespace has not so many groups
`;

// Input: the name. The file is for the host's root only, the call for the root of any user namespace.
const nameHost = `
read -r name
[ "\${name#-}" = "$name" ] || exit 1
{ echo "$name" >/proc/sys/kernel/hostname; } 2>/dev/null || exec hostname "$name"
`;

/** The host's name for a pod's link: at most 15 characters, the same every time. */
export function hostInterface(pod: string): string {
  return `gh${createHash('sha256').update(pod).digest('hex').slice(0, 12)}`;
}

/** The file in `folder` that pins the pod's network, or undefined where that is the host's. */
export function netFile(folder: string, network: PodNetwork): string | undefined {
  return network.kind === 'host' ? undefined : `${folder}/net`;
}

/** What enters the namespaces that `createNetwork` pinned in `folder`. */
export function enterArgv(folder: string, network: PodNetwork): string[] {
  const net = netFile(folder, network);
  const own = net === undefined ? [] : [`--net=${net}`];
  return ['nsenter', ...own, `--uts=${folder}/uts`, `--ipc=${folder}/ipc`];
}

/** Makes and pins a pod's namespaces in `folder`, and its link. */
export async function createNetwork(folder: string, pod: string, hostname: string, network: PodNetwork): Promise<void> {
  if (network.kind === 'routed' && !isIPv4(network.address)) {
    throw new RuntimeError('InvalidContainer', 'a pod address is IPv4');
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const names = network.kind === 'host' ? ['uts', 'ipc'] : ['net', 'uts', 'ipc'];
  for (const name of names) await writeFile(`${folder}/${name}`, '', { mode: 0o600 });
  const pinned = names.map((name) => `--${name}=${folder}/${name}`);
  await run(['unshare', ...pinned, 'sh', '-c', nameHost], `${hostname}\n`);
  if (network.kind === 'host') return;
  const inside = ['link set lo up'];
  if (network.kind === 'routed') {
    const link = hostInterface(pod);
    const mtu = await uplinkMtu();
    await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
    const outside = [
      `link add ${link} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${folder}/net`,
      // Without an address of version 6 there is no way around policies of version 4.
      `link set dev ${link} addrgenmode none`,
      `addr add ${gateway}/32 dev ${link}`,
      `link set dev ${link} up`,
      `route replace ${network.address}/32 dev ${link}`,
    ];
    await run(['ip', '-batch', '-'], lines(outside));
    inside.push(
      'link set dev eth0 addrgenmode none',
      `addr add ${network.address}/32 dev eth0`,
      'link set dev eth0 up',
      `route add default via ${gateway} dev eth0 onlink`,
    );
  }
  await run(['nsenter', `--net=${folder}/net`, 'sh', '-c', configurePod], lines(inside));
}

/** The largest packet that leaves the machine whole; Ethernet's where there is no way out, as in a user namespace. */
async function uplinkMtu(): Promise<number> {
  const uplink = uplinkOf(await readFile('/proc/net/route', 'utf8'));
  if (uplink === undefined) return defaultMtu;
  const text = await readFile(`/sys/class/net/${uplink}/mtu`, 'utf8').catch(() => ''); // a /sys of another namespace
  const mtu = Number.parseInt(text, 10);
  return mtu >= leastMtu && mtu <= mostMtu ? mtu : defaultMtu;
}

/** The interface of the default route with the smallest metric. `table` is the text of /proc/net/route. */
export function uplinkOf(table: string): string | undefined {
  const routes = table
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000');
  return routes.toSorted((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}

/** Removes the link and the pinned namespaces. Does nothing where there are none. */
export async function removeNetwork(folder: string, pod: string): Promise<void> {
  const link = hostInterface(pod);
  const isThere = async (): Promise<boolean> => (await readFile('/proc/net/dev', 'utf8')).includes(`${link}:`);
  if (await isThere()) {
    await run(['ip', 'link', 'delete', link]).catch(async (error: unknown) => {
      if (await isThere()) throw error; // else it went with its other end, when the last process of the pod did
    });
  }
  const mounted = await readFile('/proc/self/mountinfo', 'utf8');
  const ours = mounted.split('\n').flatMap((line) => {
    const path = line.split(' ')[4] ?? '';
    return path.startsWith(`${folder}/`) ? [path] : [];
  });
  if (ours.length > 0) await run(['umount', '-l', ...ours]);
  await rm(folder, { recursive: true, force: true });
}

function lines(commands: readonly string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}
