import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { parseAllDocuments } from 'yaml';
import { StatusError } from '../api/status.ts';
import type { Evaluation } from '../authz/eval.ts';
import type { NearMiss } from '../authz/explain.ts';
import { asExpected, evaluate, objectsIn, scenariosIn } from '../authz/eval.ts';

interface EvalOptions {
  readonly filename: readonly string[];
  readonly checks?: string;
  readonly defaults: boolean;
  readonly output: string;
}

/** `gatehouse authz`: questions about access. */
export function authzCommand(): Command {
  const command = new Command('authz').description('ask who may do what');
  command
    .command('eval')
    .description('try roles and bindings from files, without a server')
    .option('-f, --filename <file|dir>', 'manifests, or a file of scenarios (may be repeated)', collect, [])
    .option('--checks <file>', 'the questions: a list in the shape of SubjectAccessReview specs')
    .option('--no-defaults', 'leave out the roles that every cluster starts with')
    .option('-o, --output <format>', 'json or table', 'table')
    .action((options: EvalOptions) => {
      try {
        const evaluations = evaluateFiles(options);
        console.log(options.output === 'json' ? JSON.stringify(evaluations, null, 2) : table(evaluations));
        if (!asExpected(evaluations)) process.exitCode = 1;
      } catch (error) {
        if (!(error instanceof StatusError) && !isFileError(error)) throw error;
        console.error(`gatehouse authz eval: ${error.message}`);
        process.exitCode = 2;
      }
    });
  return command;
}

function evaluateFiles({ filename, checks, defaults }: EvalOptions): readonly Evaluation[] {
  const documents = filename.flatMap(filesAt).flatMap(documentsIn);
  const scenarios =
    checks === undefined
      ? documents.flatMap((document) => scenariosIn(document, []))
      : documentsIn(checks).flatMap((document) => scenariosIn(document, objectsIn(documents)));
  return scenarios.map((scenario) => evaluate(scenario, defaults));
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function filesAt(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.(?:ya?ml|json)$/.test(name))
    .toSorted()
    .map((name) => join(path, name));
}

function documentsIn(path: string): readonly unknown[] {
  return parseAllDocuments(readFileSync(path, 'utf8')).flatMap((document): readonly unknown[] => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new StatusError('BadRequest', `${path}: ${problem.message}`);
    const value: unknown = document.toJS();
    return value === null ? [] : [value];
  });
}

function table(evaluations: readonly Evaluation[]): string {
  return evaluations
    .flatMap(({ name, checks }) =>
      checks.map(({ allowed, expected, reason, nearest }, index) => {
        const verdict = expected === undefined || expected === allowed ? '' : ` (expected ${expected ? 'yes' : 'no'})`;
        return `${name === '' ? '' : `${name} `}${index}\t${allowed ? 'yes' : 'no'}${verdict}\t${nearest === undefined ? reason : nearMiss(nearest)}`;
      }),
    )
    .join('\n');
}

function nearMiss({ grant, missed }: NearMiss): string {
  const binding = grant.bindingNamespace === '' ? grant.binding : `${grant.bindingNamespace}/${grant.binding}`;
  return `nearest: rule ${grant.rule} of ${grant.roleKind} ${grant.role} by ${grant.bindingKind} ${binding}, but for the ${missed.join(' and the ')}`;
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
