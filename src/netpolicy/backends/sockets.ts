/**
 * Which processes hold the client's end of a connection on this machine. The kernel lists every socket with its inode in
 * /proc/net, and /proc/PID/fd names the inodes that a process holds, for processes of this account alone. A client whose
 * socket is gone by the time it is looked for has no owner, and who has no owner is nobody.
 */
import { readFile, readdir } from 'node:fs/promises';
import { readdirSync, readlinkSync } from 'node:fs';
import { parseAddress } from '../address.ts';

/** A client's end as the listener that it dialled sees it. */
export interface ClientSocket {
  readonly protocol: 'TCP' | 'UDP';
  readonly address: string;
  readonly port: number;
  /** What it dialled. */
  readonly to: { readonly address: string; readonly port: number };
}

/**
 * - `other`: the socket is of another account of this machine. - `held`: by these processes, of this account.
 * - `none`: no such socket, or nobody is seen to hold it.
 */
export type SocketHolder =
  | { readonly kind: 'other' }
  | { readonly kind: 'held'; readonly pids: readonly number[] }
  | { readonly kind: 'none' };

/** One row of /proc/net/{tcp,udp}{,6}. */
export interface SocketRow {
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
  readonly user: number;
  readonly inode: string;
}

/** Finds holders. Keeps in mind which processes held sockets before: they are looked at first. */
export function createSocketFinder(user: number): (client: ClientSocket) => Promise<SocketHolder> {
  const seen = new Set<number>();
  return async (client) => {
    const kind = client.protocol.toLowerCase();
    let own = await rowsOf(`/proc/net/${kind}`, client);
    if (own.length === 0) own = await rowsOf(`/proc/net/${kind}6`, client);
    // A socket that was closed lingers without a holder, and without its user: the kernel says 0 of both.
    const open = own.filter(({ inode }) => inode !== '0');
    if (open.length === 0) return { kind: 'none' };
    if (open.every((row) => row.user !== user)) return { kind: 'other' };
    const pids = await holdersOf(new Set(open.map(({ inode }) => inode)), seen);
    return pids.length === 0 ? { kind: 'none' } : { kind: 'held', pids };
  };
}

/**
 * Whether `row` is the client's end. A datagram socket may be bound to no address and connected to nothing: then its port is
 * all there is, and every socket of that port is taken for it. Pure.
 */
export function isClient({ local, remote }: SocketRow, { protocol, address, port, to }: ClientSocket): boolean {
  if (local.port !== port) return false;
  if (protocol === 'TCP') return local.address === address && remote.address === to.address && remote.port === to.port;
  const isBound = local.address === address || isAny(local.address);
  const isConnected = remote.port !== 0;
  return isBound && (!isConnected || (remote.address === to.address && remote.port === to.port));
}

/** Undefined for a line that is none. An IPv4-mapped address is the IPv4 address it holds. Pure. */
export function parseSocketRow(line: string): SocketRow | undefined {
  const fields = line.trim().split(/\s+/);
  const [local, remote] = [parseEnd(fields[1] ?? ''), parseEnd(fields[2] ?? '')];
  const [user, inode] = [Number(fields[7]), fields[9]];
  if (local === undefined || remote === undefined || !Number.isInteger(user) || inode === undefined) return undefined;
  return { local, remote, user, inode };
}

// `0100007F:1F90`: 32-bit words in this machine's byte order, which is little-endian wherever Node runs on Linux but on
// s390x, then the port.
function parseEnd(text: string): SocketRow['local'] | undefined {
  const [hex = '', port = ''] = text.split(':');
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/.test(hex)) return undefined;
  const words = Buffer.from(hex, 'hex');
  const bytes = process.arch === 's390x' ? words : words.swap32();
  const spelled =
    bytes.length === 4
      ? bytes.join('.')
      : Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':');
  const address = parseAddress(spelled)?.text;
  return address === undefined ? undefined : { address, port: Number.parseInt(port, 16) };
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** The processes of this account that hold one of `inodes`; every inode is looked for until it is found. */
async function holdersOf(inodes: ReadonlySet<string>, seen: Set<number>): Promise<readonly number[]> {
  const wanted = new Set(inodes);
  const holders: number[] = [];
  const look = (pid: number): void => {
    const held = socketsOf(pid);
    if (held === undefined) {
      seen.delete(pid);
      return;
    }
    const found = held.filter((inode) => inodes.has(inode));
    if (found.length === 0) return;
    holders.push(pid);
    seen.add(pid);
    for (const inode of found) wanted.delete(inode);
  };
  for (const pid of seen) if (wanted.size > 0) look(pid);
  if (wanted.size === 0) return holders;
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid) && !seen.has(pid) && wanted.size > 0) look(pid);
  }
  return holders;
}

/** Inodes of the sockets that a process holds; undefined when it has ended or is not ours to look at. */
function socketsOf(pid: number): readonly string[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => socketAt(`/proc/${pid}/fd/${fd}`) ?? []);
  } catch {
    return undefined;
  }
}

function socketAt(path: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
  } catch {
    return undefined; // it was closed meanwhile
  }
}

/** The rows of the client. Making the text is the kernel's work, milliseconds of it: the second table only when the first has none. */
async function rowsOf(path: string, client: ClientSocket): Promise<readonly SocketRow[]> {
  const text = await readFile(path, 'utf8').catch(() => ''); // a machine without IPv6 has no such table
  // Of thousands of rows most are nobody's here: only those with the port are read.
  const withPort = `:${client.port.toString(16).toUpperCase().padStart(4, '0')} `;
  const lines = text.split('\n').filter((line) => line.includes(withPort));
  return lines.flatMap((line) => parseSocketRow(line) ?? []).filter((row) => isClient(row, client));
}
