/** The groups of checks in `checks/`, and those checks whose time has not come. */
import { toolkit } from './toolkit.ts';
import type { Place } from './toolkit.ts';

/** One claim about what kubectl shows. */
export interface Check {
  readonly name: string;
  readonly run: (t: ReturnType<typeof toolkit>) => Promise<void>;
  readonly timeoutMs?: number;
}

export interface Group {
  readonly name: string;
  readonly checks: readonly Check[];
}

const names = ['pods', 'rollout', 'config', 'services', 'crud', 'patch', 'discovery', 'rbac', 'apply', 'admission'];

/** All groups, the longest first. The checks are plain scripts in the manner of a shell session, so they come untyped. */
export async function loadGroups(): Promise<readonly Group[]> {
  return await Promise.all(
    names.map(async (name) => {
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
    reason: 'issue 3: custom resources and the API groups that go with them',
    checks: [
      'apply: a custom resource is merged as JSON: keys merge, lists are replaced whole',
      'discovery: a CRD shows up in api-resources, explain and /apis, and goes away again',
      'discovery: api-resources columns and well-known rows',
      'discovery: api-versions',
      'patch: --subresource=status and the main resource keep to their own part',
      'patch: a custom resource takes no strategic merge patch',
    ],
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

/**
 * Runs `groups` in `place`, `width` of them side by side, each in a namespace of its own and its checks in order.
 * Says at once what will come of each check, under `group: name`.
 */
export function runGroups(
  groups: readonly Group[],
  place: Place,
  width: number,
  within: (ms: number, work: Promise<void>) => Promise<void>,
): ReadonlyMap<string, Promise<Error | undefined>> {
  const outcomes = new Map<string, Promise<Error | undefined>>();
  const lanes: Promise<unknown>[] = Array.from({ length: width }, () => Promise.resolve());
  for (const [index, group] of groups.entries()) {
    const t = toolkit(place, `kc-${group.name}`);
    const lane = index % width;
    let before = (lanes[lane] ?? Promise.resolve()).then(() => t.kubectl(['create', 'namespace', t.ns]));
    for (const check of group.checks) {
      const outcome = before.then(() => attempt(() => within(check.timeoutMs ?? 90_000, check.run(t))));
      outcomes.set(`${group.name}: ${check.name}`, outcome);
      before = outcome.then(() => ({ code: 0, out: '', err: '' }));
    }
    lanes[lane] = before.then(() => t.kubectl(['delete', 'namespace', t.ns, '--wait=false']));
  }
  return outcomes;
}

async function attempt(work: () => Promise<void>): Promise<Error | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
