/** How commands print: `-o json|yaml|table|wide|name`, columns, colour only for a person who wants it. */
import { Option } from 'commander';
import { stringify } from 'yaml';

const outputFormats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** A command that ends with one line on standard error. `exitCode` 1: it failed; 2: it was asked wrongly. */
export class CommandError extends Error {
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2, cause?: unknown) {
    super(message, { cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** The `-o` option, limited to `formats`. */
export function outputOption(
  formats: readonly OutputFormat[] = outputFormats,
  otherwise: OutputFormat = 'table',
): Option {
  return new Option('-o, --output <format>', 'output format').choices(formats).default(otherwise);
}

export interface Column<T> {
  readonly title: string;
  readonly of: (item: T) => string;
  /** Shown by `-o wide` only. */
  readonly wide?: boolean;
  /** Marks a value that somebody should notice. */
  readonly alert?: (item: T) => boolean;
}

/**
 * `items` as lines under their titles, columns three spaces apart, as kubectl prints them. Control characters are taken
 * out: names come from other people and must not drive a terminal.
 */
export function table<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  options: { readonly wide: boolean; readonly colour: boolean; readonly titles?: boolean },
): string {
  const shown = columns.filter((column) => options.wide || column.wide !== true);
  const rows = items.map((item) => shown.map((column) => printable(column.of(item))));
  const titles = shown.map((column) => column.title);
  const all = options.titles === false ? rows : [titles, ...rows];
  const widths = titles.map((title, index) => Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const first = all.length - rows.length;
  return all
    .map((row, at) =>
      row
        .map((cell, index) => {
          const padded = index === row.length - 1 ? cell : cell.padEnd((widths[index] ?? 0) + 3);
          const item = items[at - first];
          const alert = at >= first && item !== undefined && shown[index]?.alert?.(item) === true;
          return alert && options.colour ? `\u001B[31m${padded}\u001B[0m` : padded;
        })
        .join(''),
    )
    .join('\n');
}

/** Whether to colour: a terminal, and no NO_COLOR. Source: no-color.org. */
export function wantsColour(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  return isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

/** `value` as JSON or YAML. */
export function serialized(value: unknown, format: 'json' | 'yaml'): string {
  return format === 'json' ? JSON.stringify(value, null, 2) : stringify(value, { lineWidth: 0 }).trimEnd();
}

/** `text` on one line without control characters. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD');
}
