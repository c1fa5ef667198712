/**
 * An ordinary user's node. Such a user may be root of a user namespace, with network, links, firewall and mounts of its own.
 * All nodes of a home share one, held open by a sleeping process so that pods outlive a killed agent, and each agent runs
 * inside. This process then stays outside, as the agent's parent, for the one thing that the inside cannot do: reach
 * the gateway (gateway-relay.ts). It ends when the agent does and the agent ends, whatever happens, when it does.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import { readKubeconfig } from './credentials.ts';
import { relayFromInside, relayOutside } from './gateway-relay.ts';
import type { Home } from './home.ts';
import { identityFile } from './identities.ts';

interface UserNamespaceOptions {
  /** Folder of all the nodes of one home; made when it is missing. */
  readonly folder: string;
  /** URL of the gateway. */
  readonly server: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where a node's work is done. `here`: go on. `outside`: a child did it, inside, and ended with `code`. */
export type Place = { readonly kind: 'here' } | { readonly kind: 'outside'; readonly code: number };

/**
 * Where this process is to do the work of a node of `home`: an ordinary user's runs in the user namespace of the home.
 * Decides for `here`, with a warning, where user namespaces cannot be had.
 */
export async function placeNode(options: {
  readonly home: Home;
  /** Whether the runtime wants them. */
  readonly namespaces: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<Place> {
  const { home, clock, log } = options;
  if (!options.namespaces) return { kind: 'here' };
  const { server } = readKubeconfig(identityFile(home, 'bootstrap'));
  return enterUserNamespace({ folder: join(home.run, 'namespaces'), server, clock, log });
}

/** Set for the agent inside: what it is told, not a secret. */
const marker = 'GATEHOUSE_USER_NAMESPACE';
const toolPath = '/usr/sbin:/usr/bin:/sbin:/bin';
const deadlineMs = 30_000;

// Arguments: folder, text of the holder. Says the holder's process id. One at a time: agents start together.
const hold = `
exec 9>"$1/lock"
flock -w 20 9 || { echo 'its lock is held' >&2; exit 1; }
started() { stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- \${stat##*) }; echo "\${20}"; }
if read -r pid start 2>/dev/null <"$1/holder" && [ "$(started "$pid")" = "$start" ]; then
  echo "$pid"
  exit 0
fi
rm -f "$1/ready" "$1/holder"
setsid unshare --user --map-root-user --net --mount --propagation private \\
  sh -c "$2" holder "$1" 9>&- </dev/null >/dev/null 2>"$1/trouble" &
pid=$!
i=0
while [ ! -e "$1/ready" ]; do
  i=$((i + 1))
  kill -0 "$pid" 2>/dev/null && [ "$i" -lt 200 ] || { cat "$1/trouble" >&2; exit 1; }
  sleep 0.05
done
echo "$pid $(started "$pid")" >"$1/holder.new" && mv "$1/holder.new" "$1/holder"
echo "$pid"
`;

// Found by doing: some systems allow the namespaces and deny what they are for.
const holder = `
set -e
mkdir -p "$1/trial"
mount -t tmpfs none "$1/trial"
umount "$1/trial"
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
: >"$1/ready"
exec sleep infinity
`;

// Argument: folder. Ends the holder when nobody else is in its namespaces.
const release = `
exec 9>"$1/lock"
flock -w 5 9 || exit 0
read -r pid start 2>/dev/null <"$1/holder" || exit 0
space=$(readlink "/proc/$pid/ns/user") || exit 0
for other in /proc/[0-9]*; do
  [ "$other" = "/proc/$pid" ] || [ "$(readlink "$other/ns/user" 2>/dev/null)" != "$space" ] || exit 0
done
kill -KILL "$pid"
rm -f "$1/holder"
`;

/** `placeNode` for any folder and gateway. */
export async function enterUserNamespace(options: UserNamespaceOptions): Promise<Place> {
  if (process.env[marker] === '1') {
    await relayFromInside(options.server, options.clock);
    return { kind: 'here' };
  }
  if (process.platform !== 'linux' || process.getuid?.() === 0) return { kind: 'here' };
  const pid = await findHolder(options.folder).catch((error: unknown) => {
    options.log.warn('this system gives an ordinary user no namespaces', { error });
  });
  if (pid === undefined) return { kind: 'here' };
  const code = await runInside(pid, options);
  await shell(release, [options.folder]).catch((error: unknown) => {
    options.log.warn('the namespaces of this home stay', { error });
  });
  return { kind: 'outside', code };
}

async function findHolder(folder: string): Promise<number> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pid = Number((await shell(hold, [folder, holder])).trim());
  if (!Number.isSafeInteger(pid) || pid <= 0) throw new Error('the process that holds the namespaces did not start');
  return pid;
}

async function runInside(holderPid: number, { server, log }: UserNamespaceOptions): Promise<number> {
  const enter = ['nsenter', '-t', String(holderPid), '-U', '-n', '-m', '--preserve-credentials', '--'];
  const [script = ''] = process.argv.slice(1);
  const again = [process.execPath, ...process.execArgv, script, ...process.argv.slice(2)];
  const [program = '', ...args] = [...enter, 'setpriv', '--pdeathsig', 'KILL', '--', ...again];
  const child = spawn(program, args, {
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${toolPath}`, [marker]: '1' },
    detached: true, // a signal of the terminal reaches it once: through us
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  relayOutside(child, server, log);
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass);
  }
}

/** Runs one of the texts above; values reach it as arguments. */
function shell(text: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', text, 'sh', ...args], {
      env: { PATH: toolPath, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(err.trim() || `it ended with ${code ?? 'a signal'}`));
    });
  });
}
