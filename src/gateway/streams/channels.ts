/**
 * The frames of `channel.k8s.io` WebSockets: the first byte of a binary message is its channel, the rest is the
 * channel's. `01 68 69` is "hi" on standard output; in v5, `ff 00` says that standard input has ended. Pure.
 * Source: kubernetes/apimachinery, remotecommand, and upstream's wsstream.
 */
import { readTerminalSize } from './terminal-size.ts';

/** What this gateway speaks, the best first. The last one is what upstream's own end-to-end tests ask for. */
export const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io'] as const;
export type ChannelProtocol = (typeof channelProtocols)[number];

export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
/** In v5: the byte after it names a channel that its sender has closed. */
const closes = 255;

/** A message of a client. */
export type ClientFrame =
  | { readonly kind: 'input'; readonly bytes: Buffer }
  | { readonly kind: 'end-of-input' }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'ignored' };

/** What `message` says. Messages that mean nothing to a server are ignored, as upstream does. */
export function readFrame(protocol: ChannelProtocol, message: Buffer): ClientFrame {
  const [number = channel.error] = message; // an empty message says nothing: no client sends errors
  switch (number) {
    case channel.stdin:
      return { kind: 'input', bytes: message.subarray(1) };
    case channel.resize: {
      const size = readTerminalSize(message.toString('utf8', 1));
      return size === undefined ? { kind: 'ignored' } : { kind: 'resize', ...size };
    }
    case closes:
      if (protocol === 'v5.channel.k8s.io' && message[1] === channel.stdin) return { kind: 'end-of-input' };
      return { kind: 'ignored' };
    default:
      return { kind: 'ignored' };
  }
}

/** `bytes` on channel `number`. */
export function frame(number: number, bytes: Buffer | string = ''): Buffer {
  return Buffer.concat([Buffer.from([number]), typeof bytes === 'string' ? Buffer.from(bytes) : bytes]);
}
