/**
 * The program's own log: one JSON object a line, to standard error. Values that may hold secrets never come here;
 * an error is reduced to its name, message and stack.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a line may carry beside its message. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields` too. */
  with(fields: LogFields): Logger;
}

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Writes lines of `level` and above through `write`, each stamped with `now()` (milliseconds since the epoch). */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly now: () => number;
  readonly write: (line: string) => void;
  readonly fields?: LogFields;
}): Logger {
  const least = order.indexOf(options.level);
  const log = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (order.indexOf(level) < least) return;
    const line = { time: new Date(options.now()).toISOString(), level, message, ...options.fields, ...fields };
    options.write(`${JSON.stringify(line, plainError)}\n`);
  };
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    with: (fields) => createLogger({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

/** Says nothing. For tests and for one-shot commands. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLogger,
};

function plainError(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (!(value instanceof Error)) return value;
  return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
}
