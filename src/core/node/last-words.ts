/**
 * What a container says when it ends: the file at its terminationMessagePath, or the end of its log, becomes the message
 * of its terminated state. Limits: upstream's kubelet.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container as ContainerSpec, Pod } from '../../api/types/core.ts';
import { containerId } from './runtimes/runtime.ts';
import type { Container, Runtime } from './runtimes/runtime.ts';

const limits = { fileBytes: 4096, logBytes: 2048, logLines: 80, podBytes: 12 * 1024 };
// A log is complete once its container has ended; this is for the one that never is.
const logWaitMs = 2_000;

/** The last words of one pod's containers. */
export interface LastWords {
  /** Makes the empty file that an attempt may write to; its path on the host. */
  prepare(container: string, attempt: number): Promise<string>;
  /** Takes down what those of `attempts` said that have ended. */
  hear(pod: Pod, attempts: Iterable<Container>): Promise<void>;
  /** By id of the attempt; those that said nothing are left out. */
  readonly said: ReadonlyMap<string, string>;
  forget(attempt: Container): Promise<void>;
}

/** Keeps them for the pod `uid`, in `folder`, which may not exist yet. */
export function createLastWords(uid: string, folder: string, runtime: Pick<Runtime, 'readLogs'>): LastWords {
  const said = new Map<string, string>();
  const heard = new Set<string>();
  const fileOf = (id: string): string => join(folder, id.slice(uid.length + 1));

  async function wordsOf(container: ContainerSpec, attempt: Container): Promise<Buffer> {
    const written = await endOfFile(fileOf(attempt.id), limits.fileBytes);
    const failed = attempt.state.kind === 'exited' && attempt.state.exitCode !== 0;
    if (written.length > 0 || !failed || container.terminationMessagePolicy !== 'FallbackToLogsOnError') return written;
    return endOfLog(runtime, attempt.id);
  }

  return {
    said,
    prepare: async (container, attempt) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = fileOf(containerId(uid, container, attempt));
      await writeFile(file, '');
      await chmod(file, 0o666); // whoever the container runs as
      return file;
    },
    hear: async (pod, attempts) => {
      const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
      const share = Math.floor(limits.podBytes / containers.length);
      for (const attempt of attempts) {
        const container = containers.find(({ name }) => name === attempt.name);
        if (container === undefined || attempt.state.kind !== 'exited' || heard.has(attempt.id)) continue;
        heard.add(attempt.id);
        const words = (await wordsOf(container, attempt)).subarray(0, share).toString('utf8');
        if (words !== '') said.set(attempt.id, words.replaceAll('\0', '\uFFFD'));
      }
    },
    forget: async ({ id }) => {
      said.delete(id);
      heard.delete(id);
      await rm(fileOf(id), { force: true });
    },
  };
}

/** The last `most` bytes of a file that a container could write to; empty when there is none. */
async function endOfFile(path: string, most: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined, // made by an agent that kept none
  );
  if (file === undefined) return Buffer.alloc(0);
  try {
    const { size } = await file.stat();
    const from = Math.max(size - most, 0);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, most)), 0, Math.min(size, most), from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function endOfLog(runtime: Pick<Runtime, 'readLogs'>, id: string): Promise<Buffer> {
  let end = Buffer.alloc(0);
  const options = { tailLines: limits.logLines, follow: true }; // until the log is complete
  for await (const chunk of runtime.readLogs(id, options, AbortSignal.timeout(logWaitMs))) {
    end = Buffer.concat([end, chunk]).subarray(-limits.logBytes);
  }
  return end;
}
