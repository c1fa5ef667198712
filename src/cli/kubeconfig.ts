/** `gatehouse kubeconfig`: a kubeconfig for somebody, signed by the authority in the home folder. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { readKubeconfig } from '../app/credentials.ts';
import { homeFolder, openHome } from '../app/home.ts';
import { UsageError } from '../app/usage-error.ts';
import { systemClock } from '../std/clock.ts';

/** Prints the kubeconfig, or writes it where only its owner reads it. */
export function kubeconfigCommand(): Command {
  return new Command('kubeconfig')
    .description('make a kubeconfig for a user of this Gatehouse')
    .requiredOption('--user <name>', 'who it is for')
    .option(
      '--group <name>',
      'a group the user is in (repeatable)',
      (value: string, before: readonly string[]) => [...before, value],
      [],
    )
    .option('--namespace <name>', 'namespace that kubectl works in')
    .option('--days <n>', 'how long the certificate is good', (text: string) => Number(text), 365)
    .option('--output <file>', 'write it there instead of printing it')
    .option('--home <dir>', 'home folder of Gatehouse (default: GATEHOUSE_HOME or ~/.gatehouse)')
    .action(
      async (options: {
        user: string;
        group: string[];
        namespace?: string;
        days: number;
        output?: string;
        home?: string;
      }) => {
        if (!Number.isFinite(options.days) || options.days <= 0 || options.days > 3650) {
          throw new UsageError('--days: give a number from 1 to 3650');
        }
        const home = openHome(homeFolder(options.home, process.env));
        const [cert, key] = [join(home.pki, 'ca.crt'), join(home.pki, 'ca.key')];
        if (!existsSync(key) || !existsSync(home.kubeconfig)) {
          throw new UsageError(
            `${home.folder} holds no Gatehouse yet: start it with "gatehouse up --home ${home.folder}" first`,
          );
        }
        const ca = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
        const { issueClientCertificate, writeSecret } = await import('../gateway/pki.ts');
        const { kubeconfig } = await import('../gateway/kubeconfig.ts');
        const { user, group: groups, days, namespace } = options;
        const identity = await issueClientCertificate(ca, { user, groups, days, now: systemClock.now() });
        const { server } = readKubeconfig(home.kubeconfig);
        const text = kubeconfig({
          server,
          ca: ca.cert,
          user,
          identity,
          ...(namespace === undefined ? {} : { namespace }),
        });
        if (options.output === undefined) process.stdout.write(text);
        else {
          writeSecret(options.output, text);
          const until = new X509Certificate(identity.cert).validTo;
          process.stderr.write(`gatehouse: wrote ${options.output} for ${user}, good until ${until}\n`);
        }
      },
    );
}
