/** Probes: a container is asked again and again whether it has started, is ready, is alive. */
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect } from 'node:net';
import type { Container, Probe } from '../../api/types/core.ts';
import type { Clock } from '../../std/clock.ts';

export type ProbeKind = 'startup' | 'readiness' | 'liveness';

export interface ProbeTarget {
  readonly container: Container;
  /** Address of the pod, from where the agent reaches it. */
  readonly address: string;
  /** Runs a command in the container; resolves to its exit code and the end of what it printed. */
  readonly exec: (
    command: readonly string[],
    signal: AbortSignal,
  ) => Promise<{ readonly code: number; readonly output: string }>;
}

export interface ProbeResult {
  readonly ok: boolean;
  /** What was found, for the event of a failure. */
  readonly message: string;
}

/** One try, within the probe's timeout. Never throws: what goes wrong is a failure. */
export async function probeOnce(probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const signal = AbortSignal.timeout((probe.timeoutSeconds ?? 1) * 1000);
  try {
    if (probe.exec !== undefined) {
      const { code, output } = await target.exec(probe.exec.command ?? [], signal);
      return { ok: code === 0, message: code === 0 ? '' : output.trim() || `command exited with ${code}` };
    }
    if (probe.httpGet !== undefined) return await probeHttp(probe.httpGet, target, signal);
    if (probe.tcpSocket !== undefined) return await probeTcp(probe.tcpSocket, target, signal);
    return { ok: false, message: 'this kind of probe is not known here: use exec, httpGet or tcpSocket' };
  } catch (error) {
    if (signal.aborted) return { ok: false, message: `no answer within ${probe.timeoutSeconds ?? 1} s` };
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Repeats a probe until `signal` aborts. `report` gets each change of the verdict: true after successThreshold
 * successes in a row, false after failureThreshold failures in a row.
 */
export async function runProbe(
  probe: Probe,
  target: ProbeTarget,
  clock: Clock,
  signal: AbortSignal,
  report: (ok: boolean, message: string) => void,
  onFailure: (message: string) => void,
): Promise<void> {
  let verdict: boolean | undefined;
  let inRow = 0;
  let last: boolean | undefined;
  const wait = async (seconds: number): Promise<void> => clock.sleep(seconds * 1000, signal).catch(() => {});
  if ((probe.initialDelaySeconds ?? 0) > 0) await wait(probe.initialDelaySeconds ?? 0);
  while (!signal.aborted) {
    const { ok, message } = await probeOnce(probe, target);
    if (signal.aborted) return;
    if (!ok) onFailure(message);
    inRow = ok === last ? inRow + 1 : 1;
    last = ok;
    const enough = inRow >= (ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3));
    if (enough && verdict !== ok) {
      verdict = ok;
      report(ok, message);
    }
    await wait(probe.periodSeconds ?? 10);
  }
}

/** A probe is sent from the host's network: it may reach the pod and nothing else, whatever its author writes. */
function hostOf(asked: string | undefined, { address }: ProbeTarget): string {
  if (asked === undefined || asked === '' || asked === address) return address;
  throw new Error(`a probe reaches only its own pod: leave out host ${asked}`);
}

function portOf(port: number | string, { container }: ProbeTarget): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port);
  if (!Number.isInteger(named)) throw new Error(`the container has no port named ${port}`);
  return named;
}

function probeHttp(
  action: NonNullable<Probe['httpGet']>,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const headers = Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name, value]));
  const secure = action.scheme === 'HTTPS';
  const options = {
    host: hostOf(action.host, target),
    port: portOf(action.port, target),
    path: action.path === undefined || action.path === '' ? '/' : action.path,
    headers: { 'user-agent': 'kube-probe/gatehouse', accept: '*/*', ...headers },
    agent: false as const,
    signal,
  };
  return new Promise((resolve, reject) => {
    // A probe asks whether the program answers, not who it is: upstream does not check the certificate either.
    const request = secure ? httpsGet({ ...options, rejectUnauthorized: false }) : httpGet(options);
    request.on('error', reject);
    request.on('response', (response) => {
      const code = response.statusCode ?? 0;
      response.destroy();
      const ok = code >= 200 && code < 400;
      resolve({ ok, message: ok ? '' : `HTTP probe failed with statuscode: ${code}` });
    });
  });
}

function probeTcp(
  action: NonNullable<Probe['tcpSocket']>,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const host = hostOf(action.host, target);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: portOf(action.port, target), signal });
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.destroy();
      resolve({ ok: true, message: '' });
    });
  });
}
