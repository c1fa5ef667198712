/**
 * Runs one benchmark: `npm run bench -- NAME [--json]`. With --json each figure is a line
 * `{bench, metric, value, unit, ratioTo?, ratio?}`; without, it is for people.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** One measured number. `ratio` compares with what `ratioTo` names, measured in the same run. */
export interface Figure {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  readonly ratioTo?: string;
  readonly ratio?: number;
}

/** What a bench file exports as `bench`: reports figures as it goes, and remarks (settings, versions) for the reader. `flags` are its own. */
export type Bench = (
  report: (figure: Figure) => void,
  note: (text: string) => void,
  flags: readonly string[],
) => Promise<void>;

const [name = '', ...flags] = process.argv.slice(2);
const json = flags.includes('--json');
const here = import.meta.dirname;
const known = readdirSync(here)
  .filter((file) => /^[a-z-]+\.(ts|js)$/.test(file) && !file.startsWith('main.'))
  .map((file) => file.replace(/\.\w+$/, ''));

if (!known.includes(name)) {
  console.error(`usage: npm run bench -- ${known.join('|')} [--json]`);
  process.exitCode = 2;
} else {
  const file =
    ['js', 'ts'].map((extension) => join(here, `${name}.${extension}`)).find((path) => existsSync(path)) ?? '';
  const { bench } = (await import(file)) as { readonly bench: Bench };
  await bench(report, (text) => console.error(text), flags);
}

function report(figure: Figure): void {
  if (json) {
    console.log(JSON.stringify({ bench: name, ...figure }));
    return;
  }
  const value = figure.value >= 100 ? figure.value.toFixed(0) : figure.value.toPrecision(3);
  const ratio = figure.ratio === undefined ? '' : `   ${figure.ratio.toFixed(2)} × ${figure.ratioTo ?? ''}`;
  console.log(`${figure.metric.padEnd(44)} ${value.padStart(9)} ${figure.unit}${ratio}`);
}
