import type { ServerHttp2Stream } from 'node:http2';
import { joinStreams } from '../../../std/join-streams.ts';
import { podOf } from './containers.ts';
import type { StreamDeps } from './serve.ts';
import { parseForward } from './wire.ts';

/** Joins `stream` with the port of the pod that `params` name. Throws NotFound, or what dialling throws. */
export async function forwardPort(
  stream: ServerHttp2Stream,
  params: URLSearchParams,
  { agent, runtime }: StreamDeps,
): Promise<void> {
  const { pod, port } = parseForward(params);
  podOf(agent, pod);
  const inside = await runtime.dial(pod.uid, port); // a sandbox has its pod's uid
  if (stream.destroyed) {
    inside.destroy();
    return;
  }
  stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
  await joinStreams(stream, inside);
}
