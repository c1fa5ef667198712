/** One short program of the system run to its end: argv is passed as it is, no shell reads it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Tools are looked for here and nowhere else, whatever PATH the agent was started with. */
export const toolPath = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Tools, not containers, run by this; none of them has reason to take longer. Chosen, not measured. */
const toolDeadlineMs = 15_000;

/** Runs `argv` with an empty environment and returns its standard output. Throws with its complaint when it fails. */
export function run(argv: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, {
      env: { PATH: toolPath, LC_ALL: 'C' },
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: toolDeadlineMs,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.stdin.on('error', () => {
      // It ended without reading all of its input: its exit code says whether that matters.
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else reject(new Error(`${program} ended with ${code ?? signal}: ${Buffer.concat(err).toString().trim()}`));
    });
    child.stdin.end(input);
  });
}

/** Absolute path of a program of the system; undefined where it is missing. */
export function findTool(name: string): string | undefined {
  const found = toolPath.split(':').find((folder) => existsSync(`${folder}/${name}`));
  return found === undefined ? undefined : `${found}/${name}`;
}
