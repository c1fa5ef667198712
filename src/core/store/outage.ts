/**
 * What can be wrong with a database, told apart by what follows from it: the operator has to act (`DatabaseUnusable`),
 * this value is refused, or the connection is gone. Nothing else looks at SQLSTATEs.
 */
import { DatabaseError } from 'pg';

/** The program cannot work with this database. `message` is one line that says what to do; the CLI prints it and exits 2. */
export class DatabaseUnusable extends Error {
  readonly why: 'unreachable' | 'refused' | 'too-old' | 'schema-newer' | 'not-startable';

  constructor(why: DatabaseUnusable['why'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DatabaseUnusable';
    this.why = why;
  }
}

/** The server answered with an error; undefined when the connection failed instead. */
export function answeredError(error: unknown): DatabaseError | undefined {
  return error instanceof DatabaseError ? error : undefined;
}

/** Whether the server refuses what a statement carries (class 22 data, 23 constraints, 54 limits), so that trying again is pointless. */
export function refusesValue(error: unknown): boolean {
  return /^(22|23|54)/.test(answeredError(error)?.code ?? '');
}

/**
 * Whether the server gave a statement up before its transaction could commit: deadlock, missing rights or objects, a
 * lock not had in time, a cancellation (classes 40, 42, 55, code 57014). Errors that end the connection are not among
 * them: those may come at any moment, also after the commit.
 */
export function wasCancelled(error: unknown): boolean {
  return /^(40|42|55|57014)/.test(answeredError(error)?.code ?? '');
}

/** Whether the server says that the caller's picture of the present was wrong (see store_commit in migrations). */
export function sawOtherPresent(error: unknown): boolean {
  return answeredError(error)?.code === 'GH001';
}
