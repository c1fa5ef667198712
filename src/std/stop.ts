/** Something that runs until it is told to end. */
export interface Running {
  /** Ends it, waits until it has ended, frees what it held. Safe to call twice. */
  stop(): Promise<void>;
}
