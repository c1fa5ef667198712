/**
 * Transactions into the kernel. Small ones go as one line to a long-lived `nft -i` (about 2 ms, half of a spawned one),
 * large ones to a `nft -f -` of their own. `nft -i` prints nothing on success, so each line is followed by a question about a
 * counter that cannot exist: its error message, which quotes the question, says that the line before it is done.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { deadline } from '../../std/clock.ts';
import { runCommand } from './command.ts';

/** What one transaction may take before nft is killed; 100 000 elements need about 1 s. */
const transactionTimeoutMs = 20_000;

/** Beyond this a spawned nft is faster than the interactive parser. */
const maxLineBytes = 32_768;

interface Pending {
  readonly marker: string;
  readonly done: (error: Error | undefined) => void;
}

export class NftProcess {
  readonly #prefix: readonly string[];
  #child: ChildProcessWithoutNullStreams | undefined;
  #pending: Pending | undefined;
  #output = '';
  #count = 0;

  /** `prefix` is put before `nft`, for example `['ip', 'netns', 'exec', 'NAME']`. */
  constructor(prefix: readonly string[]) {
    this.#prefix = prefix;
  }

  /** Runs `commands` as one transaction. One at a time. Rejects when the kernel took none of it. */
  async transact(commands: readonly string[]): Promise<void> {
    const line = commands.join('; ');
    if (line.length > maxLineBytes) {
      await this.#spawned(commands);
      return;
    }
    await this.#interactive(line);
  }

  /** What nft answers to a question such as `list table inet x`, as JSON; undefined when it does not exist. */
  async listJson(question: readonly string[]): Promise<unknown> {
    const { code, stdout } = await runCommand(
      [...this.#prefix, 'nft', '-j', ...question],
      '',
      deadline(transactionTimeoutMs),
    );
    return code === 0 ? (JSON.parse(stdout) as unknown) : undefined;
  }

  /** Ends the long-lived process. */
  stop(): void {
    this.#child?.stdin.end();
    this.#child = undefined;
  }

  async #spawned(commands: readonly string[]): Promise<void> {
    const argv = [...this.#prefix, 'nft', '-f', '-'];
    const { code, stderr } = await runCommand(argv, `${commands.join('\n')}\n`, deadline(transactionTimeoutMs));
    if (code !== 0) throw new Error(`nft refused a transaction: ${stderr.slice(0, 500)}`);
  }

  #interactive(line: string): Promise<void> {
    const child = this.#child ?? this.#begin();
    this.#count += 1;
    const marker = `list counter inet gatehouse_done c${this.#count}`;
    return new Promise((resolve, reject) => {
      const timeout = deadline(transactionTimeoutMs);
      const onTimeout = (): void => this.#lost(child, new Error('nft did not answer in time'));
      timeout.addEventListener('abort', onTimeout, { once: true });
      this.#pending = {
        marker,
        done: (error) => {
          timeout.removeEventListener('abort', onTimeout);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      child.stdin.write(`${line}\n${marker}\n`);
    });
  }

  #begin(): ChildProcessWithoutNullStreams {
    const [command, ...args] = [...this.#prefix, 'nft', '-i'];
    const child = spawn(command, args, { stdio: 'pipe' });
    this.#child = child;
    this.#output = '';
    child.stderr.on('data', (chunk: Buffer) => this.#read(chunk.toString()));
    child.stdout.resume();
    child.stdin.on('error', () => {}); // the exit says why
    child.on('error', (error) => this.#lost(child, error));
    child.on('close', () => this.#lost(child, new Error('nft ended')));
    return child;
  }

  #read(text: string): void {
    this.#output += text;
    const pending = this.#pending;
    const at = pending === undefined ? -1 : this.#output.indexOf(pending.marker);
    if (pending === undefined || at < 0) return;
    const before = this.#output.slice(0, at);
    // Its caret line, which may still be on its way, holds no text that could be taken for another's.
    this.#output = this.#output.slice(at + pending.marker.length);
    this.#pending = undefined;
    const errors = before.split('Error:').length - 1;
    pending.done(errors > 1 ? new Error(`nft refused a transaction: ${before.trim().slice(0, 500)}`) : undefined);
  }

  #lost(child: ChildProcessWithoutNullStreams, error: Error): void {
    if (this.#child === child) this.#child = undefined;
    child.kill('SIGKILL');
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.done(error);
  }
}
