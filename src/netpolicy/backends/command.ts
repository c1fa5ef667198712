import { spawn } from 'node:child_process';

/** How a finished command ended. `stderr` may hold addresses; it is for logs, never for callers of the API. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `argv` (no shell) with `input` on its standard input; killed when `signal` aborts. Rejects when it cannot be started. */
export function runCommand(argv: readonly string[], input: string, signal: AbortSignal): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const [command = '', ...args] = argv;
    const child = spawn(command, args, { stdio: 'pipe', signal, killSignal: 'SIGKILL' });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
    // A child that died early says why by its exit; the broken pipe adds nothing.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
