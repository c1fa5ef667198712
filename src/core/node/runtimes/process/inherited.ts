/** What a process was started with and its containers must not get. */
import { closeSync, existsSync, readFileSync, readdirSync } from 'node:fs';

/**
 * Closes what this process was started with beyond its three standard streams: Node keeps its own files from its
 * children, but not those that it knows nothing of, and a container must not get what the agent's starter held.
 */
export function closeInherited(): void {
  const closeOnExec = 0o2000000; // O_CLOEXEC in /proc/PID/fdinfo
  for (const name of readdirSync('/proc/self/fd')) {
    // The folder's own descriptor was listed, too, and is closed by now.
    if (Number(name) <= 2 || !existsSync(`/proc/self/fdinfo/${name}`)) continue;
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
    if ((Number.parseInt(flags, 8) & closeOnExec) === 0) closeSync(Number(name));
  }
}
