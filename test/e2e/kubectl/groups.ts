/** The groups of checks in `checks/`, and those checks whose time has not come. */
import { deferred } from '../../../src/std/deferred.ts';
import type { Deferred } from '../../../src/std/deferred.ts';
import type { Kubectl } from '../../support/kubectls.ts';
import { toolkit } from './toolkit.ts';
import type { Place } from './toolkit.ts';

/** One claim about what kubectl shows. */
interface Check {
  readonly name: string;
  readonly run: (t: ReturnType<typeof toolkit>) => Promise<void>;
  readonly timeoutMs?: number;
  /** The first kubectl that can: 28 is 1.28. */
  readonly since?: number;
}

interface Group {
  readonly name: string;
  readonly checks: readonly Check[];
}

const names = [
  'logs',
  'streams',
  'pods',
  'rollout',
  'config',
  'services',
  'crud',
  'patch',
  'discovery',
  'rbac',
  'apply',
  'admission',
];

/** The group in which versions of kubectl differ most on the wire: SPDY, WebSocket, SPDY in a WebSocket. */
const varying = 'streams';

/** The groups of `KUBECTL_GROUPS` (names, commas between them), or else all, the longest first. The checks are plain scripts in the manner of a shell session, so they come untyped. */
export async function loadGroups(): Promise<readonly Group[]> {
  const asked = process.env['KUBECTL_GROUPS']?.split(',') ?? names;
  return await Promise.all(
    asked.map(async (name) => {
      const module = (await import(new URL(`checks/${name}.mjs`, import.meta.url).href)) as Record<string, Group>;
      const group = module['checks'];
      if (group === undefined) throw new Error(`checks/${name}.mjs has no checks`);
      return group;
    }),
  );
}

/** What waits for a later issue, by `group: name`. */
export const leftOut: readonly { readonly reason: string; readonly checks: readonly string[] }[] = [
  {
    reason: 'issue 3: the API groups of admission policies, flow control and aggregation',
    checks: ['discovery: api-versions'],
  },
  {
    reason: 'issue 3: quotas, limits, Pod Security and admission policies',
    checks: [
      'admission: LimitRange fills in defaults and refuses what is over max or under min',
      'admission: Pod Security baseline refuses host namespaces and hostPath, and takes a plain pod',
      'admission: Pod Security restricted refuses a privileged pod and takes a strict one',
      'admission: Pod Security warn lets the pod in and warns, also for a Deployment',
      'admission: ResourceQuota counts objects and refuses what exceeds it',
      'admission: ResourceQuota on cpu requires requests and adds them up',
      'admission: a ValidatingAdmissionPolicy denies with its message, in the namespaces its binding selects',
      'admission: a binding with Warn lets the request through with a warning',
      'admission: a policy whose CEL does not compile is refused',
      'admission: a policy with parameters, a message expression and matchConditions',
    ],
  },
  {
    reason: 'the gateway of `up` listens on 127.0.0.1 alone, which is no endpoint for pods',
    checks: ['services: the kubernetes Service of the default namespace exists, with endpoints'],
  },
  {
    reason: 'not in this issue: nodes mount no subPath yet',
    checks: [
      'config: a change of a ConfigMap and of a Secret reaches the mounted files, but not a subPath mount',
      'config: subPath mounts one file and leaves the rest of the volume out',
    ],
  },
  {
    reason:
      'a gap: in an isolated container a file of mode 0400 belongs to the root of the host, not to that of the container',
    checks: ['config: items choose keys and paths, with a mode of their own'],
  },
  {
    reason:
      'images come with containerd, in a later issue: here an image without command waits with ImageWithoutCommand',
    checks: ['pods: waiting reasons: an image that cannot be had, and a missing ConfigMap key until it exists'],
  },
  {
    reason: 'not in this issue: nodes do not read termination messages yet',
    checks: ['pods: termination message from the file, and from the log with FallbackToLogsOnError'],
  },
];

/** A group of checks for one kubectl. */
export interface Job {
  readonly kubectl: Kubectl;
  readonly group: Group;
}

/** All groups for the newest and the oldest kubectl, and for those between what differs from version to version. */
export function jobsFor(kubectls: readonly Kubectl[], groups: readonly Group[]): readonly Job[] {
  const [newest, oldest] = [kubectls.at(-1), kubectls[0]];
  const outer = new Set([newest, oldest].filter((kubectl) => kubectl !== undefined));
  const between = kubectls.filter((kubectl) => !outer.has(kubectl));
  const job = (kubectl: Kubectl, { name, checks }: Group): Job => {
    const minor = Number(kubectl.minor.slice('1.'.length));
    return { kubectl, group: { name, checks: checks.filter(({ since = 0 }) => since <= minor) } };
  };
  return [
    ...[...outer].flatMap((kubectl) => groups.map((group) => job(kubectl, group))),
    ...between.flatMap((kubectl) => groups.filter(({ name }) => name === varying).map((group) => job(kubectl, group))),
  ];
}

/** What a check of a job is known by. */
export function titleOf({ kubectl, group }: Job, check: Check): string {
  return `${kubectl.minor} ${group.name}: ${check.name}`;
}

/**
 * Runs `jobs`, `width` of them side by side, each in a namespace of its own and its checks in order.
 * Says at once what will come of each check, by its title.
 */
export function runJobs(
  jobs: readonly Job[],
  where: Omit<Place, 'kubectl'>,
  width: number,
  within: (ms: number, work: Promise<void>) => Promise<void>,
): ReadonlyMap<string, Promise<Error | undefined>> {
  const outcomes = new Map<string, Deferred<Error | undefined>>();
  for (const job of jobs) for (const check of job.group.checks) outcomes.set(titleOf(job, check), deferred());
  const waiting = jobs.values();
  const lane = async (): Promise<void> => {
    for (const job of waiting) {
      const { kubectl, group } = job;
      const t = toolkit({ ...where, kubectl: kubectl.path }, `kc-${group.name}-${kubectl.minor.replace('.', '-')}`);
      await t.kubectl(['create', 'namespace', t.ns]);
      for (const check of group.checks) {
        const outcome = await attempt(() => within(check.timeoutMs ?? 90_000, check.run(t)));
        outcomes.get(titleOf(job, check))?.resolve(outcome);
      }
      await t.kubectl(['delete', 'namespace', t.ns, '--wait=false']);
    }
  };
  void Promise.all(Array.from({ length: width }, lane));
  return new Map([...outcomes].map(([title, { promise }]) => [title, promise]));
}

async function attempt(work: () => Promise<void>): Promise<Error | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
