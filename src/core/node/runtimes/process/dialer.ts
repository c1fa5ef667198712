/**
 * Connections to the loopback of a pod's network. A socket belongs to the network it was made in, whoever holds it: a small
 * helper enters the pod's network, connects there, and hands the connected socket over; the bytes never pass it. It is
 * started for the first connection, serves the next ones in a millisecond, and goes when none has come for a while.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket, connect } from 'node:net';
import type { Clock } from '../../../../std/clock.ts';
import { deferred } from '../../../../std/deferred.ts';
import type { Deferred } from '../../../../std/deferred.ts';
import { at, textOf } from '../../../../std/value.ts';
import { RuntimeError } from '../runtime.ts';
import { toolPath } from './run.ts';

export interface Dialer {
  /** A connection to `port` in the network pinned at `file`, or in the agent's own. Throws Unreachable. */
  dial(pod: string, file: string | undefined, port: number): Promise<Socket>;
  /** Ends the helper of `pod`: its network cannot go while the helper is in it. */
  release(pod: string): void;
  /** Ends all helpers. */
  stop(): void;
}

// Chosen, not measured. A helper takes some 40 MiB.
const idleMs = 60_000;
const dialDeadlineMs = 10_000;

const gone = "the pod's network is gone";

/** Programs that listen on version 4 alone are many, on version 6 alone few. */
export const loopbacks: readonly string[] = ['127.0.0.1', '::1'];

// The socket stays paused: what it read before it is handed over would be lost.
const helper = `
const { connect } = require('node:net');
const dial = (id, port, [host, ...others], why) => {
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.pause();
  const failed = (error) => {
    const first = why ?? String(error.code);
    if (others.length > 0) dial(id, port, others, first);
    else process.send({ id, failed: first });
  };
  socket.once('error', failed);
  socket.once('connect', () => {
    socket.off('error', failed);
    process.send({ id, failed: '' }, socket);
  });
};
process.on('message', ({ id, port, hosts }) => dial(id, port, hosts));
process.on('disconnect', () => process.exit());
`;

interface Helper {
  readonly child: ChildProcess;
  readonly waiting: Map<number, { readonly port: number; readonly answer: Deferred<Socket> }>;
  cancelIdle: () => void;
}

/** A dialer without helpers. */
export function createDialer(clock: Clock): Dialer {
  const helpers = new Map<string, Helper>();
  let lastId = 0;

  const release = (pod: string): void => {
    const found = helpers.get(pod);
    helpers.delete(pod);
    found?.cancelIdle();
    found?.child.kill('SIGKILL');
  };
  const start = (pod: string, file: string): Helper => {
    const argv = [`--net=${file}`, process.execPath, '--max-semi-space-size=1', '-e', helper];
    const child = spawn('nsenter', argv, {
      env: { PATH: toolPath },
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    child.unref();
    child.channel?.unref();
    const made: Helper = { child, waiting: new Map(), cancelIdle: () => {} };
    const ended = (): void => {
      if (helpers.get(pod) === made) release(pod);
      for (const { port, answer } of made.waiting.values()) answer.reject(unreachable(port, gone));
      made.waiting.clear();
    };
    child.on('error', ended);
    child.on('exit', ended);
    child.on('message', (message, handle) => {
      const asked = made.waiting.get(Number(at(message, 'id')));
      const failed = textOf(at(message, 'failed'));
      if (handle instanceof Socket) {
        if (asked === undefined) handle.destroy();
        else asked.answer.resolve(handle);
      } else asked?.answer.reject(unreachable(asked.port, failed || 'it was closed at once'));
    });
    helpers.set(pod, made);
    return made;
  };
  const dialInside = async (pod: string, file: string, port: number): Promise<Socket> => {
    const found = helpers.get(pod) ?? start(pod, file);
    found.cancelIdle();
    found.cancelIdle = clock.after(idleMs, () => release(pod));
    lastId += 1;
    const id = lastId;
    const answer = deferred<Socket>();
    found.waiting.set(id, { port, answer });
    const cancel = clock.after(dialDeadlineMs, () => answer.reject(unreachable(port, 'no answer in time')));
    found.child.send({ id, port, hosts: loopbacks }, (error) => {
      if (error !== null) answer.reject(unreachable(port, gone));
    });
    try {
      const socket = await answer.promise;
      socket.allowHalfOpen = true;
      return socket;
    } finally {
      cancel();
      found.waiting.delete(id);
    }
  };

  return {
    dial: (pod, file, port) => (file === undefined ? dialHere(loopbacks, port, clock) : dialInside(pod, file, port)),
    release,
    stop: () => {
      for (const pod of helpers.keys()) release(pod);
    },
  };
}

/** A connection to `port` of the first of `hosts` that takes it. Throws Unreachable with what the first one said. */
export async function dialHere(hosts: readonly string[], port: number, clock: Clock): Promise<Socket> {
  let why: RuntimeError | undefined;
  for (const host of hosts) {
    const socket = connect({ host, port, allowHalfOpen: true });
    const cancel = clock.after(dialDeadlineMs, () => socket.destroy(new Error('no answer in time')));
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      why ??= unreachable(port, textOf(at(error, 'code')) || textOf(at(error, 'message')));
    } finally {
      cancel();
    }
  }
  throw why ?? unreachable(port, 'no address');
}

function unreachable(port: number, why: string): RuntimeError {
  const words = why === 'ECONNREFUSED' ? 'connection refused' : why;
  return new RuntimeError('Unreachable', `dial tcp port ${port}: connect: ${words}`);
}
