/** `gatehouse up` and the parts of it that are commands of their own: `gateway`, `controllers`, `node`. */
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { homeFolder, openHome } from '../app/home.ts';
import type { Home } from '../app/home.ts';
import { leave, untilTold } from '../app/lifetime.ts';
import { networkRanges } from '../app/network-ranges.ts';
import type { IsolationKind } from '../app/network-ranges.ts';
import { UsageError } from '../app/usage-error.ts';
import { DatabaseUnusable } from '../core/store/outage.ts';
import { parseBlock } from '../netpolicy/address.ts';
import { systemClock } from '../std/clock.ts';
import { createLogger } from '../std/log.ts';
import type { LogLevel, Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';

interface RangeFlags {
  readonly clusterCidr?: string;
  readonly serviceCidr?: string;
}

interface NodeFlags extends RangeFlags {
  readonly name: string;
  readonly runtime: string;
  readonly isolation: IsolationKind;
  readonly dataplane: string;
  readonly sharesHost: boolean;
  readonly stopPods: boolean;
}

interface Common {
  readonly home?: string;
  readonly logLevel: LogLevel;
  readonly followParent: boolean;
}

const clock = systemClock;

/** Brings up everything on this machine and stays in the foreground. */
export function upCommand(): Command {
  return withCommon(new Command('up'))
    .description('bring up all of Gatehouse on this machine: database, gateway, scheduler, controllers, nodes')
    .option('--port <n>', 'port of the gateway', port, 7443)
    .option('--nodes <n>', 'how many nodes', count, 1)
    .addOption(runtimeOption())
    .addOption(isolationOption())
    .addOption(dataplaneOption())
    .addOption(clusterCidrOption())
    .addOption(serviceCidrOption())
    .option('--database-url <url>', 'a Postgres of your own (15 or later) instead of the embedded one')
    .action(
      async (
        options: Common &
          RangeFlags & {
            port: number;
            nodes: number;
            runtime: string;
            isolation: IsolationKind;
            dataplane: string;
            databaseUrl?: string;
          },
      ) => {
        const ranges = networkRanges(options.isolation, options);
        const { home, log } = begin(options, 'up');
        const told = untilTold({ followParent: false });
        const early = new AbortController();
        void told.then(() => early.abort());
        const began = clock.monotonic();
        const { startUp } = await import('../app/up.ts');
        const up = await startUp({
          home,
          port: options.port,
          nodes: options.nodes,
          runtime: options.runtime,
          isolation: options.isolation,
          dataplane: options.dataplane,
          ranges,
          databaseUrl: options.databaseUrl ?? process.env['GATEHOUSE_DATABASE_URL'],
          logLevel: options.logLevel,
          clock,
          log,
          write: (line) => process.stderr.write(`${line}\n`),
          progress: (text) => process.stderr.write(`gatehouse: starting ${text} …\n`),
          program: fileURLToPath(new URL('main.js', import.meta.url)),
          signal: early.signal,
        });
        process.stderr.write(`gatehouse: up in ${((clock.monotonic() - began) / 1000).toFixed(1)} s\n`);
        process.stdout.write(`ready ${up.url} kubeconfig ${home.kubeconfig}\n`);
        await told;
        process.stderr.write('gatehouse: stopping …\n');
        await up.stop();
        leave(clock, log);
      },
    );
}

/** One gateway. */
export function gatewayCommand(): Command {
  return withCommon(new Command('gateway'))
    .description('run one gateway')
    .option('--port <n>', 'port to listen on', port, 7443)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--name <name>', 'further DNS name or address of the gateway (repeatable)', collect, [])
    .option(
      '--gateway-id <id>',
      'name of this gateway in the audit trail, unlike any other on the database',
      hostname(),
    )
    .addOption(clusterCidrOption())
    .addOption(serviceCidrOption())
    .addOption(isolationOption().hideHelp())
    .option('--database-url <url>', 'the Postgres to use; or in GATEHOUSE_DATABASE_URL')
    .action(
      async (
        options: Common &
          RangeFlags & {
            port: number;
            host: string;
            name: string[];
            gatewayId: string;
            isolation: IsolationKind;
            databaseUrl?: string;
          },
      ) => {
        const ranges = networkRanges(options.isolation, options);
        const { home, log } = begin(options, 'gateway');
        const databaseUrl = options.databaseUrl ?? process.env['GATEHOUSE_DATABASE_URL'] ?? '';
        if (databaseUrl === '')
          throw new UsageError('which database? give --database-url URL or set GATEHOUSE_DATABASE_URL');
        const { startGateway } = await import('../app/gateway.ts');
        const { host, port: number, name: names, gatewayId } = options;
        await serve(
          { options, log },
          () => startGateway({ home, databaseUrl, host, port: number, gatewayId, names, ranges, clock, log }),
          (gateway) => `ready ${gateway.url}`,
        );
      },
    );
}

/** Scheduler and controllers. */
export function controllersCommand(): Command {
  return withCommon(new Command('controllers'))
    .description('run the scheduler and the controllers; of several such processes one leads')
    .addOption(clusterCidrOption())
    .addOption(isolationOption().hideHelp())
    .action(async (options: Common & RangeFlags & { isolation: IsolationKind }) => {
      const { pods } = networkRanges(options.isolation, options);
      const { home, log } = begin(options, 'controllers');
      const { startControllers } = await import('../app/controllers.ts');
      await serve({ options, log }, () => startControllers({ home, clusterCIDR: pods, clock, log }));
    });
}

/** One node agent. */
export function nodeCommand(): Command {
  return withCommon(new Command('node'))
    .description('run one node agent')
    .option('--name <name>', 'name of the node', hostname().toLowerCase())
    .addOption(runtimeOption())
    .addOption(isolationOption())
    .addOption(dataplaneOption())
    .addOption(clusterCidrOption())
    .addOption(serviceCidrOption())
    .option('--shares-host', "another node of this machine serves the machine's own clients of services", false)
    .option('--stop-pods', 'stop the pods too when this agent is told to stop', false)
    .action(async (options: Common & NodeFlags) => {
      const ranges = networkRanges(options.isolation, options);
      const { home, log } = begin(options, 'node');
      const { placeNode } = await import('../app/user-namespace.ts');
      const bare = options.isolation === 'none';
      const runtime = bare && options.runtime === 'auto' ? 'process' : options.runtime;
      const place = await placeNode({
        home,
        namespaces: runtime !== 'hollow' && !bare,
        clock,
        log: log.with({ node: options.name }),
      });
      if (place.kind === 'outside') {
        process.exitCode = place.code;
        return;
      }
      const { startNode } = await import('../app/node.ts');
      await serve(
        { options, log },
        async () => {
          const node = await startNode({
            home,
            name: options.name,
            runtime,
            isolation: options.isolation,
            dataplane: options.dataplane,
            serveHost: !options.sharesHost,
            ranges,
            clock,
            log: log.with({ node: options.name }),
          });
          for (const sentence of node.notEnforced) process.stderr.write(`gatehouse: ${sentence}\n`);
          return node;
        },
        () => 'ready',
        async (node, why) => {
          if (why === 'signal' && options.stopPods) await node.stopPods();
        },
      );
    });
}

function withCommon(command: Command): Command {
  return command
    .option('--home <dir>', 'folder for keys, data and kubeconfig (default: GATEHOUSE_HOME or ~/.gatehouse)')
    .addOption(
      new Option('--log-level <level>', 'least level to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('warn'),
    )
    .addOption(new Option('--follow-parent', 'end when standard input closes').default(false).hideHelp());
}

function runtimeOption(): Option {
  return new Option('--runtime <kind>', 'what runs containers').choices(['auto', 'process', 'hollow']).default('auto');
}

function clusterCidrOption(): Option {
  return new Option('--cluster-cidr <cidr>', 'range of pod addresses, the same on every machine')
    .argParser(cidr)
    .default(undefined, '10.244.0.0/16; without isolation 127.244.0.0/16');
}

function serviceCidrOption(): Option {
  return new Option('--service-cidr <cidr>', 'range of service addresses, the same on every machine')
    .argParser(cidr)
    .default(undefined, '10.96.0.0/16; without isolation 127.96.0.0/16');
}

function isolationOption(): Option {
  return new Option(
    '--isolation <kind>',
    'what keeps pods apart: all that this machine gives, or none: then a pod can do whatever this account can',
  )
    .choices(['auto', 'none'])
    .default('auto');
}

function dataplaneOption(): Option {
  return new Option('--dataplane <kind>', 'what enforces network policy')
    .choices(['auto', 'nftables', 'userspace', 'none'])
    .default('auto');
}

function begin(options: Common, part: string): { readonly home: Home; readonly log: Logger } {
  // What a node makes is seen by its pods, whose users are strangers to us; the home around it is closed to everyone else.
  process.umask(part === 'node' ? 0o022 : 0o077);
  const home = openHome(homeFolder(options.home, process.env));
  const write = (line: string): void => void process.stderr.write(line);
  return { home, log: createLogger({ level: options.logLevel, now: () => clock.now(), write, fields: { part } }) };
}

/** Starts a part, says so, and stops it when told to. Told before it has started, it leaves at once: parts bear that. */
async function serve<T extends Running>(
  { options, log }: { readonly options: Common; readonly log: Logger },
  start: () => Promise<T>,
  line: (running: T) => string = () => 'ready',
  first: (running: T, why: 'signal' | 'orphaned') => Promise<void> = async () => {},
): Promise<void> {
  const told = untilTold(options);
  const running = await Promise.race([startOrExplain(start), told.then(() => undefined)]);
  if (running !== undefined) {
    process.stdout.write(`${line(running)}\n`);
    await first(running, await told);
    await running.stop();
  }
  leave(clock, log);
}

async function startOrExplain<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    process.stdin.destroy(); // open, it would keep this process alive
    throw error instanceof DatabaseUnusable ? new UsageError(error.message, error) : error;
  }
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return value;
}

function cidr(text: string): string {
  if (parseBlock(text)?.family !== 4 || Number(text.split('/')[1]) > 24)
    throw new InvalidArgumentError('give an IPv4 block of at least 256 addresses, such as 10.244.0.0/16');
  return text;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 100)
    throw new InvalidArgumentError('give a number from 0 to 100');
  return value;
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
