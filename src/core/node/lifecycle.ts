/** postStart and preStop hooks. */
import { get } from 'node:http';
import type { Container, LifecycleHandler } from '../../api/types/core.ts';
import { deadline } from '../../std/clock.ts';
import { runToEnd } from './run-to-end.ts';
import type { Runtime } from './runtimes/runtime.ts';

/** Runs the hook; answers what went wrong, or undefined. Without a signal it has 30 s. */
export async function lifecycleHook(
  container: Container,
  hook: LifecycleHandler | undefined,
  at: {
    readonly runtime: Runtime;
    readonly id: string;
    readonly address: string | undefined;
    readonly signal?: AbortSignal;
  },
): Promise<string | undefined> {
  const signal = at.signal ?? AbortSignal.timeout(30_000);
  try {
    if (hook?.exec !== undefined) {
      const { code, output } = await runToEnd(at.runtime, at.id, hook.exec.command ?? [], signal);
      return code === 0
        ? undefined
        : `Exec lifecycle hook (${(hook.exec.command ?? []).join(' ')}) for Container "${container.name}" failed with ${code}: ${output}`;
    }
    if (hook?.sleep !== undefined) {
      await new Promise<void>((resolve) => {
        const end = deadline(hook.sleep === undefined ? 0 : hook.sleep.seconds * 1000, signal);
        if (end.aborted) resolve();
        else end.addEventListener('abort', () => resolve(), { once: true });
      });
      return undefined;
    }
    if (hook?.httpGet !== undefined) {
      const { port, path = '/' } = hook.httpGet;
      const number =
        typeof port === 'number' ? port : container.ports?.find(({ name }) => name === port)?.containerPort;
      await new Promise<void>((resolve, reject) => {
        const request = get({ host: at.address, port: number, path, signal, agent: false }, (response) => {
          response.resume();
          resolve();
        });
        request.on('error', reject);
      });
    }
    return undefined;
  } catch (error) {
    return `lifecycle hook for Container "${container.name}" failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}
