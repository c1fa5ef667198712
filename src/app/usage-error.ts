/** Something the person at the command line can mend. The program prints `message` as its one line and exits with code 2. */
export class UsageError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UsageError';
  }
}
