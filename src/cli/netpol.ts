/** `gatehouse netpol`: questions about network policy. */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { parseAllDocuments } from 'yaml';
import { badRequest } from '../api/status.ts';
import type { CaseResult, PolicyCase } from '../netpolicy/eval.ts';
import { evaluateCase } from '../netpolicy/eval.ts';

/** Aliases one document may expand to: cases are plain data, and a small file must not become a large one. */
const maxAliasCount = 100;

/** The command group. `print` takes whole lines; a file that cannot be read or judged throws. */
export function netpolCommand(print: (line: string) => void = (line) => console.log(line)): Command {
  const netpol = new Command('netpol').description('ask about network policy');
  netpol
    .command('eval')
    .description('judge the probes of policy cases from a file; needs no server')
    .requiredOption('-f, --filename <file>', 'cases (JSON or YAML): objects, probes and steps')
    .addOption(new Option('-o, --output <format>', 'output format').choices(['table', 'json']).default('table'))
    .action(({ filename, output }: { filename: string; output: string }) => {
      const cases = readCases(readFileSync(filename, 'utf8'));
      const results = cases.map(evaluateCase);
      if (output === 'json') print(JSON.stringify(results));
      else for (const line of results.flatMap((result, i) => tableLines(cases[i], result))) print(line);
    });
  return netpol;
}

/** One case, a list of them, or one per YAML document. Throws BadRequest on anything else. */
function readCases(text: string): readonly PolicyCase[] {
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  const values = [...documents].flatMap((document): readonly unknown[] => {
    const error = document.errors[0];
    if (error !== undefined) throw badRequest(`the cases cannot be read: ${error.message}`);
    const value: unknown = document.toJS({ maxAliasCount });
    return Array.isArray(value) ? value : [value];
  });
  return values.map((value, i) => {
    if (!isCase(value)) throw badRequest(`case ${i} needs a name, a list of objects and a list of probes`);
    return value;
  });
}

function isCase(value: unknown): value is PolicyCase {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    isList(value['objects'], isObject) &&
    isList(value['probes'], isProbe) &&
    (value['steps'] === undefined || isList(value['steps'], isStep))
  );
}

function isStep(value: unknown): boolean {
  return (
    isRecord(value) &&
    isList(value['probes'], isProbe) &&
    (value['apply'] === undefined || isList(value['apply'], isObject)) &&
    (value['delete'] === undefined ||
      isList(
        value['delete'],
        (one) => isRecord(one) && typeof one['kind'] === 'string' && typeof one['name'] === 'string',
      ))
  );
}

function isObject(value: unknown): boolean {
  if (!isRecord(value) || typeof value['kind'] !== 'string') return false;
  const metadata = value['metadata'];
  return isRecord(metadata) && typeof metadata['name'] === 'string';
}

function isProbe(value: unknown): boolean {
  return (
    isRecord(value) &&
    [value['from'], value['to']].every(
      (end) => typeof end === 'string' || (isRecord(end) && typeof end['ip'] === 'string'),
    ) &&
    typeof value['protocol'] === 'string' &&
    typeof value['port'] === 'number'
  );
}

function isList(value: unknown, holds: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function tableLines(asked: PolicyCase | undefined, result: CaseResult): readonly string[] {
  const rounds = [
    { title: result.name, probes: asked?.probes ?? [], results: result.probes },
    ...result.steps.map((step, i) => ({
      title: `${result.name}, step ${i + 1}`,
      probes: asked?.steps?.[i]?.probes ?? [],
      results: step.probes,
    })),
  ];
  return rounds.flatMap(({ title, probes, results }) => [
    title,
    ...probes.map(({ from, to, protocol, port }, i) => {
      const verdict = results[i]?.allowed === true ? 'allowed' : 'denied ';
      return `  ${verdict}  ${endText(from)} -> ${endText(to)} ${protocol}/${port}`;
    }),
  ]);
}

function endText(end: string | { readonly ip: string }): string {
  return typeof end === 'string' ? end : end.ip;
}
