/**
 * One run at a time: a call starts one at once when none is under way, else it joins the next, which begins when the
 * present one ends. Each call resolves or rejects with a run that began after it was made.
 */
export function coalesced(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    running = run().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return begin();
    next ??= running.then(ignore, ignore).then(() => {
      next = undefined;
      return begin();
    });
    return next;
  };
}

// Whoever made the run under way gets its outcome; those that wait for the next only need its end.
function ignore(): void {}
