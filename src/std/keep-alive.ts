/** Finding out that a peer is gone when nothing is heard of it: TCP alone may take a quarter of an hour. */
import type { Clock } from './clock.ts';

/**
 * Calls `ping` every `everyMs`; when an answer has not come by the next turn, calls `dead` and ends. `ping` is handed
 * what to call when the answer comes. Returns the way to stop.
 */
export function keepAlive(
  clock: Clock,
  everyMs: number,
  peer: { readonly ping: (answered: () => void) => void; readonly dead: () => void },
): () => void {
  let cancel = (): void => {};
  let answered = true;
  const beat = (): void => {
    if (!answered) {
      peer.dead();
      return;
    }
    answered = false;
    cancel = clock.after(everyMs, beat);
    peer.ping(() => {
      answered = true;
    });
  };
  cancel = clock.after(everyMs, beat);
  return () => cancel();
}
