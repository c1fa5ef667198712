#!/usr/bin/env node
/** The command line: which commands there are. What each does is in the file it comes from. */
import { Command, CommanderError } from 'commander';
import { StatusError } from '../api/status.ts';
import { UsageError } from '../app/usage-error.ts';
import { release } from '../app/release.ts';
import { auditCommand } from './audit.ts';
import { authzCommand } from './authz.ts';
import { kubeconfigCommand } from './kubeconfig.ts';
import { netpolCommand } from './netpol.ts';
import { CommandError } from './output.ts';
import { controllersCommand, gatewayCommand, nodeCommand, upCommand } from './up.ts';

/** Exit codes: 0 yes or done, 1 no or failed, 2 wrong usage or something a person has to mend. */
async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('gatehouse')
    .description('A Kubernetes-compatible control plane whose front door is the product.')
    .exitOverride()
    .showHelpAfterError('(see gatehouse --help)');
  program.version(release, '-V, --version');
  const commands = [
    upCommand(),
    gatewayCommand(),
    controllersCommand(),
    nodeCommand(),
    kubeconfigCommand(),
    authzCommand(),
    netpolCommand(),
    auditCommand(),
  ];
  for (const command of commands) program.addCommand(strict(command));
  try {
    await program.parseAsync([...argv]);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has said why
    if (error instanceof UsageError) return complain(error.message, 2);
    if (error instanceof CommandError) return complain(error.message, error.exitCode);
    if (error instanceof StatusError) return complain(`Error from server (${error.reason}): ${error.message}`, 1);
    return complain(error instanceof Error ? (error.stack ?? error.message) : String(error), 1);
  }
}

/** Wrong usage of `command`, or of one below it, comes back as an error instead of ending the process. */
function strict(command: Command): Command {
  command.exitOverride();
  for (const each of command.commands) strict(each);
  return command;
}

function complain(message: string, code: number): number {
  process.stderr.write(`gatehouse: ${message}\n`);
  return code;
}

process.exitCode = await main(process.argv);
