/**
 * The frames of `channel.k8s.io` WebSockets: the first byte of a binary message is its channel, the rest is the
 * channel's. `01 68 69` is "hi" on standard output; in v5, `ff 00` says that standard input has ended. Pure.
 * Source: kubernetes/apimachinery, remotecommand, and upstream's wsstream.
 */
import type { Status } from '../../api/types/meta.ts';

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
    case channel.resize:
      return readSize(message.toString('utf8', 1));
    case closes:
      if (protocol === 'v5.channel.k8s.io' && message[1] === channel.stdin) return { kind: 'end-of-input' };
      return { kind: 'ignored' };
    default:
      return { kind: 'ignored' };
  }
}

function readSize(text: string): ClientFrame {
  try {
    const size: unknown = JSON.parse(text);
    if (typeof size === 'object' && size !== null && 'Width' in size && 'Height' in size) {
      const { Width: columns, Height: rows } = size;
      if (isCells(columns) && isCells(rows)) return { kind: 'resize', columns, rows };
    }
  } catch {
    // No JSON: no size.
  }
  return { kind: 'ignored' };
}

function isCells(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}

/** `bytes` on channel `number`. */
export function frame(number: number, bytes: Buffer | string = ''): Buffer {
  return Buffer.concat([Buffer.from([number]), typeof bytes === 'string' ? Buffer.from(bytes) : bytes]);
}

/** How a program ended, as a Status: kubectl takes its own exit code from it. */
export function exitStatus(code: number): Status {
  if (code === 0) return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** The last frame of a session, or undefined where the protocol has none: before v4 success is silent and failure is text. */
export function statusFrame(protocol: ChannelProtocol, status: Status): Buffer | undefined {
  if (protocol !== 'channel.k8s.io') return frame(channel.error, JSON.stringify(status));
  return status.status === 'Success' ? undefined : frame(channel.error, status.message ?? '');
}
