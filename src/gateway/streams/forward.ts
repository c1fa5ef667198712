import type { Duplex, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { StatusError } from '../../api/status.ts';
import { joinStreams } from '../../std/join-streams.ts';
import type { Logger } from '../../std/log.ts';
import type { PodTarget } from './pod-target.ts';

/** What a client forwards to. */
export interface ForwardTarget {
  readonly pod: PodTarget;
  /** A connection to a port of the pod. Throws StatusError. */
  readonly dial: (port: number) => Promise<Duplex>;
  readonly log: Logger;
}

/** One forwarded connection. */
export interface Forward {
  readonly port: number;
  readonly data: Duplex;
  /** What is written here is shown to the user. Nothing, when all went well. */
  readonly error: Writable;
}

/** Carries one connection to its end. Never throws: a port that refuses is told as upstream tells it, and concerns no other connection. */
export async function forward({ port, data, error }: Forward, { pod, dial, log }: ForwardTarget): Promise<void> {
  try {
    const inside = await dial(port);
    if (data.destroyed) inside.destroy();
    else await joinStreams(data, inside);
  } catch (cause) {
    log.debug('a port was not forwarded', { pod: pod.pod, port, error: cause });
    const why = cause instanceof StatusError ? cause.message : 'the connection to the node was lost';
    error.write(`error forwarding port ${port} to pod ${pod.pod}, uid ${pod.uid}: ${why}`);
    data.resume().end();
  }
  await finished(error.end()).catch(() => {}); // the client is gone, and with it who would read it
}
