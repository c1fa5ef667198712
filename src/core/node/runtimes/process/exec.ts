/** Programs run inside a running container, and connections to the container's own streams. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile, readlink } from 'node:fs/promises';
import { PassThrough, Writable } from 'node:stream';
import type { Clock } from '../../../../std/clock.ts';
import type { Collector } from '../logs/collector.ts';
import type { ExecRequest, ExecSession } from '../runtime.ts';
import { run, toolPath } from './run.ts';
import { enter, join, programFile } from './shim.ts';
import type { Attempt } from './state.ts';

/** Runs `request.command` beside the container's program: same namespaces, limits, user, environment and folder. */
export function execInside(
  attempt: Attempt,
  pid: number,
  procs: readonly string[],
  request: ExecRequest,
  clock: Clock,
): ExecSession {
  const program = programFile(request.command, attempt.env, attempt.workingDir);
  const ids = attempt.user === undefined ? ['-S', '0', '-G', '0'] : ['--preserve-credentials'];
  const nsenter = ['nsenter', '-t', String(pid), '-m', '-p', '-n', '-u', '-i', '-U', ...ids];
  // Who enters as no root has no capability any more, and so none to give up for good: no_new_privs does that.
  const powerless = attempt.user !== undefined && attempt.user !== 0;
  const drop = attempt.drop.filter((word) => !powerless || word !== '--bounding-set=-all');
  const inside = ['/bin/sh', '-c', enter, 'enter', ...drop];
  return startSession(['/bin/sh', '-c', join, 'join', ...procs, '--', ...nsenter, ...inside], program, request, clock);
}

/** Runs `argv`, which reads `program` (see programFile) as its file 4, as a session of its own. */
export function startSession(
  argv: readonly string[],
  program: string,
  request: ExecRequest,
  clock: Clock,
): ExecSession {
  const [file = '', ...args] = request.tty ? terminalArgv(argv) : argv;
  const child = spawn(file, args, {
    env: { PATH: toolPath, LC_ALL: 'C', SHELL: '/bin/sh', TERM: 'xterm' },
    cwd: '/',
    detached: true,
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'ignore', 'pipe'],
  });
  const feed = child.stdio[4];
  if (feed instanceof Writable) {
    feed.on('error', () => {
      // The program could not be reached: its exit code says so.
    });
    feed.end(program);
  }
  child.stdin?.on('error', () => {
    // The program does not read its input to the end: that is its right.
  });
  const exit = new Promise<number>((resolve) => {
    child.on('error', () => resolve(126));
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)));
  });
  const terminal = request.tty ? createResizer(child.pid, clock) : undefined;
  return {
    ...(child.stdin === null ? {} : { stdin: child.stdin }),
    stdout: child.stdout ?? new PassThrough().end(),
    stderr: child.stderr ?? new PassThrough().end(),
    exit,
    resize: (columns, rows) => terminal?.(columns, rows),
    close: () => {
      // The group: nsenter waits outside, and the program inside dies with it (pdeathsig).
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, 'SIGKILL');
    },
  };
}

/** Connects to the container's streams from now on. Its input takes bytes but has no end while the container runs. */
export function attachTo(folder: string, collector: Collector, exited: Promise<number>, stdin: boolean): ExecSession {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const off = collector.onOutput((stream, bytes) => (stream === 'stdout' ? stdout : stderr).write(Buffer.from(bytes)));
  const input = stdin ? createWriteStream(`${folder}/stdin`, { flags: 'r+' }) : undefined;
  input?.on('error', () => {
    // The container has ended: the session does, too.
  });
  const close = (): void => {
    off();
    stdout.end();
    stderr.end();
    input?.destroy();
  };
  const exit = exited.then((code) => {
    close();
    return code;
  });
  return {
    ...(input === undefined ? {} : { stdin: keepOpen(input) }),
    stdout,
    stderr,
    exit,
    resize: () => {},
    close,
  };
}

function keepOpen(input: Writable): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      input.write(chunk, done);
    },
  });
}

/** `script` allocates the terminal. Its one argument is a shell text: ours, of words that no pod chooses. */
function terminalArgv(argv: readonly string[]): string[] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return ['script', '-qfe', '-c', `exec ${quoted}`, '/dev/null'];
}

/** Sets the size of the terminal that process `pid` (script) gave its child. */
function createResizer(pid: number | undefined, clock: Clock): (columns: number, rows: number) => void {
  let turn: Promise<void> = Promise.resolve();
  const set = async (columns: number, rows: number): Promise<void> => {
    const end = clock.monotonic() + 2000;
    while (clock.monotonic() < end) {
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
      const terminal = await readlink(`/proc/${children.split(' ')[0]}/fd/0`).catch(() => '');
      if (/^\/dev\/pts\/\d+$/.test(terminal)) {
        await run(['stty', '-F', terminal, 'cols', String(columns), 'rows', String(rows)]);
        return;
      }
      await clock.sleep(20); // script has not made it yet
    }
  };
  return (columns, rows) => {
    const size = [columns, rows].every((count) => Number.isInteger(count) && count > 0 && count < 65_536);
    if (size) turn = turn.then(() => set(columns, rows)).catch(() => {}); // it ended: no terminal to set
  };
}
