import type { Duplex } from 'node:stream';

/**
 * Carries bytes both ways until both ends are closed, each no faster than the other takes them. The end of one direction
 * is handed on and leaves the other direction open; an end that breaks takes the other along. Never rejects.
 */
export function joinStreams(one: Duplex, other: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const closed = new Set<Duplex>();
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const end = (): void => {
        closed.add(from);
        // What has read its end and taken ours is closed in order; anything else has broken.
        if (!(from.readableEnded && from.writableFinished)) to.destroy();
        if (closed.size === 2) resolve();
      };
      from.on('error', () => from.destroy());
      if (from.closed) end();
      else from.once('close', end);
      from.pipe(to);
    }
  });
}
