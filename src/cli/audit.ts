/** `gatehouse audit`: what was done, by whom, and may they have. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { parse } from 'yaml';
import { StatusError } from '../api/status.ts';
import { readConnection } from '../app/credentials.ts';
import { UsageError } from '../app/usage-error.ts';
import { levelFor } from '../audit/policy.ts';
import { parsePolicy } from '../audit/policy-file.ts';
import { readRequests } from '../audit/policy-questions.ts';
import type { AuditDetail, AuditRecord, AuditRecordList } from '../audit/record.ts';
import { parseInstant, systemClock } from '../std/clock.ts';
import { followTrail } from './audit-tail.ts';
import { createApiClient, kubeconfigPath } from './client.ts';
import type { ApiClient } from './client.ts';
import { CommandError, outputOption, serialized, table, wantsColour } from './output.ts';
import type { Column, OutputFormat } from './output.ts';

/** Where the trail is served. */
const eventsPath = '/apis/audit.gatehouse.dev/v1/events';
const pageSize = 500;

interface ServerOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
}

interface FilterOptions extends ServerOptions {
  readonly user?: string;
  readonly verb?: string;
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly denied?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly output: OutputFormat;
}

/** The command group. Failures are printed as one line; exit code 1 for a failure, 2 for wrong usage. */
export function auditCommand(
  print: (line: string) => void = (line) => console.log(line),
  complain: (line: string) => void = (line) => console.error(line),
): Command {
  const run = (name: string, action: () => Promise<void> | void): Promise<void> => perform(name, action, complain);
  const audit = new Command('audit').description('read the audit trail, and try audit policies');

  onServer(filtered(audit.command('list').description('what was asked of the server, newest first')))
    .option('--limit <n>', 'how many at most', readLimit, 100)
    .addOption(outputOption())
    .action((options: FilterOptions & { readonly limit: number }) => run('list', () => list(options, print)));

  onServer(filtered(audit.command('tail').description('what is asked of the server from now on, as it is recorded')))
    .addOption(outputOption())
    .action((options: FilterOptions) => run('tail', () => tail(options, print)));

  onServer(audit.command('show').description('everything recorded of one request'))
    .argument('<id>', 'its audit id: the last column of `audit list`, or the Audit-Id header of an answer')
    .addOption(outputOption(['yaml', 'json'], 'yaml'))
    .action((id: string, options: ServerOptions & { readonly output: 'yaml' | 'json' }) =>
      run('show', () => show(id, options, print)),
    );

  audit
    .command('eval')
    .description('what an audit policy asks for requests; needs no server')
    .requiredOption('--policy <file>', 'an audit.k8s.io/v1 Policy, YAML or JSON')
    .requiredOption(
      '--requests <file>',
      'a list of { who: {name, groups}, verb, target: {group, resource, …} or path }',
    )
    .addOption(outputOption(['table', 'json', 'yaml']))
    .action((options: { policy: string; requests: string; output: OutputFormat }) =>
      run('eval', () => evaluate(options, print)),
    );
  return audit;
}

function onServer(command: Command): Command {
  return command
    .option('--kubeconfig <file>', "default: KUBECONFIG, then Gatehouse's own, then ~/.kube/config")
    .option('--context <name>', 'the context to use of the kubeconfig');
}

function filtered(command: Command): Command {
  return command
    .option('--user <name>', 'the user it ran as')
    .option('--verb <verb>', 'get, list, watch, create, update, patch, delete …')
    .option('--resource <resource>', 'such as pods, deployments.apps or pods/exec')
    .option('-n, --namespace <namespace>')
    .option('--name <name>', "the object's name")
    .option('--denied', 'only what was refused')
    .option('--since <time>', 'an age (90s, 15m, 2h, 7d) or a time (2026-01-31T12:00:00Z)', readTime)
    .option('--until <time>', 'the same', readTime);
}

/** Runs one command to its end, and turns what it throws into a line and an exit code. */
async function perform(
  name: string,
  action: () => Promise<void> | void,
  complain: (line: string) => void,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    const code = error instanceof CommandError ? error.exitCode : isUsage(error) ? 2 : undefined;
    if (code === undefined || !(error instanceof Error)) throw error;
    complain(`gatehouse audit ${name}: ${error.message}`);
    process.exitCode = code;
  }
}

/** A file with a wrong content, or a kubeconfig that leads nowhere. */
function isUsage(error: unknown): boolean {
  return error instanceof StatusError || error instanceof UsageError;
}

function clientOf(options: ServerOptions): ApiClient {
  return createApiClient(readConnection(kubeconfigPath(options.kubeconfig, process.env), options.context));
}

function parametersOf(options: FilterOptions): URLSearchParams {
  const parameters = new URLSearchParams();
  const { user, verb, resource, namespace, name, denied, since, until } = options;
  for (const [key, value] of Object.entries({ user, verb, resource, namespace, name, since, until })) {
    if (value !== undefined) parameters.set(key, value);
  }
  if (denied === true) parameters.set('denied', 'true');
  return parameters;
}

async function list(options: FilterOptions & { readonly limit: number }, print: (line: string) => void): Promise<void> {
  const client = clientOf(options);
  const parameters = parametersOf(options);
  const items: AuditRecord[] = [];
  let next = '';
  do {
    parameters.set('limit', String(Math.min(options.limit - items.length, pageSize)));
    if (next !== '') parameters.set('continue', next);
    const page = asList(await client.request('GET', `${eventsPath}?${parameters.toString()}`));
    items.push(...page.items);
    next = page.metadata.continue;
  } while (next !== '' && items.length < options.limit);
  printRecords(items, options.output, print, true);
}

async function tail(options: FilterOptions, print: (line: string) => void): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    let titles = true;
    const path = (extra: URLSearchParams): string =>
      `${eventsPath}?${new URLSearchParams([...parametersOf(options), ...extra]).toString()}`;
    for await (const record of followTrail({
      client: clientOf(options),
      path,
      clock: systemClock,
      signal: stop.signal,
    })) {
      // One JSON object a line, one YAML document a record: what reads a stream cannot wait for its end.
      if (options.output === 'json') print(JSON.stringify(record));
      else if (options.output === 'yaml') print(`---\n${serialized(record, 'yaml')}`);
      else printRecords([record], options.output, print, titles);
      titles = false;
    }
  } finally {
    process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  }
}

async function show(
  id: string,
  options: ServerOptions & { readonly output: 'yaml' | 'json' },
  print: (line: string) => void,
): Promise<void> {
  const detail = await clientOf(options).request('GET', `${eventsPath}/${encodeURIComponent(id)}`);
  print(serialized(asDetail(detail), options.output));
}

function evaluate(
  { policy, requests, output }: { readonly policy: string; readonly requests: string; readonly output: OutputFormat },
  print: (line: string) => void,
): void {
  const parsed = parsePolicy(readText(policy));
  const questions = readRequests(parseFile(requests));
  const answers = questions.map((question) => levelFor(parsed, question));
  if (output === 'json' || output === 'yaml') print(serialized(answers, output));
  else {
    const columns: readonly Column<(typeof answers)[number]>[] = [
      { title: 'LEVEL', of: (answer) => answer.level },
      { title: 'RULE', of: (answer) => answer.matchedRule?.toString() ?? '<none>' },
      { title: 'OMIT-STAGES', of: (answer) => answer.omitStages.join(',') },
    ];
    print(table(answers, columns, { wide: true, colour: false }));
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(`cannot read ${path}`, 2, error);
  }
}

function parseFile(path: string): unknown {
  try {
    return parse(readText(path), { maxAliasCount: 100 });
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${path} is neither JSON nor YAML`, 2, error);
  }
}

const recordColumns: readonly Column<AuditRecord>[] = [
  { title: 'TIME', of: (record) => `${record.receivedAt.slice(0, 19)}Z` },
  { title: 'USER', of: (record) => (record.user === '' ? '<unknown>' : record.user) },
  { title: 'VERB', of: (record) => record.verb },
  { title: 'RESOURCE', of: resourceOf },
  { title: 'NAMESPACE', of: (record) => record.namespace },
  { title: 'NAME', of: (record) => record.name },
  { title: 'CODE', of: (record) => String(record.code), alert: (record) => record.decision === 'forbid' },
  { title: 'IMPERSONATOR', of: (record) => record.impersonator, wide: true },
  { title: 'AUTHENTICATOR', of: (record) => record.authenticator, wide: true },
  { title: 'GRANTED-BY', of: (record) => record.binding, wide: true },
  { title: 'REVISION', of: (record) => record.revision, wide: true },
  { title: 'SOURCE', of: (record) => record.sourceIPs.join(','), wide: true },
  { title: 'USER-AGENT', of: (record) => record.userAgent, wide: true },
  { title: 'STAGE', of: (record) => record.stage, wide: true },
  { title: 'AUDIT-ID', of: (record) => record.metadata.name },
];

function resourceOf({ group, resource, subresource, requestURI }: AuditRecord): string {
  if (resource === '') return requestURI;
  return `${resource}${group === '' ? '' : `.${group}`}${subresource === '' ? '' : `/${subresource}`}`;
}

function printRecords(
  records: readonly AuditRecord[],
  output: OutputFormat,
  print: (line: string) => void,
  titles: boolean,
): void {
  switch (output) {
    case 'json':
    case 'yaml':
      print(serialized({ apiVersion: 'audit.gatehouse.dev/v1', kind: 'AuditRecordList', items: records }, output));
      return;
    case 'name':
      for (const record of records) print(record.metadata.name);
      return;
    case 'table':
    case 'wide': {
      const colour = wantsColour(process.env, process.stdout.isTTY);
      print(table(records, recordColumns, { wide: output === 'wide', colour, titles }));
    }
  }
}

function asList(value: unknown): AuditRecordList {
  if (isOfKind(value, 'AuditRecordList')) return value as AuditRecordList;
  throw new CommandError('the server answered with something that is no list of audit records', 1);
}

function asDetail(value: unknown): AuditDetail {
  if (isOfKind(value, 'AuditDetail')) return value as AuditDetail;
  throw new CommandError('the server answered with something that is no audit record', 1);
}

function isOfKind(value: unknown, kind: string): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}

function readLimit(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 is needed');
  return Number(text);
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

function readTime(text: string): string {
  const age = /^(\d{1,6})([smhdw])$/.exec(text);
  const instant =
    age === null ? parseInstant(text) : systemClock.now() - Number(age[1]) * (unitMs[age[2] ?? ''] ?? Number.NaN);
  if (instant === undefined)
    throw new InvalidArgumentError('an age such as 2h or 7d, or a time such as 2026-01-31T12:00:00Z, is needed');
  return new Date(instant).toISOString();
}
