/**
 * Pod Security: pods are held to the standard that their namespace enforces; for what makes pods (a Deployment, a Job)
 * the same is said in a warning, for the pods themselves will be refused. Source: kube-apiserver, admission plugin PodSecurity.
 */
import type { KubeObject } from '../../../api/meta.ts';
import { forbidden, invalid, notFound } from '../../../api/status.ts';
import { at, isFields, listOf } from '../../../std/value.ts';
import type { AdmissionDeps, AdmissionRequest, Validator } from '../chain.ts';
import { described, violations } from './evaluate.ts';
import { asksNothing, compareLevels, policyOf, spelled } from './policy.ts';
import type { LevelVersion, Policy } from './policy.ts';
import { subjectOf } from './subject.ts';
import type { Violation } from './subject.ts';

/** Where each kind that makes pods keeps their template. */
const templates: ReadonlyMap<string, readonly string[]> = new Map([
  ['podtemplates', ['template']],
  ['replicationcontrollers', ['spec', 'template']],
  ['replicasets.apps', ['spec', 'template']],
  ['deployments.apps', ['spec', 'template']],
  ['statefulsets.apps', ['spec', 'template']],
  ['daemonsets.apps', ['spec', 'template']],
  ['jobs.batch', ['spec', 'template']],
  ['cronjobs.batch', ['spec', 'jobTemplate', 'spec', 'template']],
]);

/** Subresources of pods through which their spec does not change. Any other is judged. Source: the plugin. */
const ignored: ReadonlySet<string> = new Set([
  'exec',
  'attach',
  'binding',
  'eviction',
  'log',
  'portforward',
  'proxy',
  'status',
]);

/** Existing pods that a new level is tried on. Source: the plugin, defaultNamespaceMaxPodsToCheck. */
const maxPods = 3000;

/** Refuses pods (Forbidden) and namespaces with labels that cannot be read (Invalid), warns and annotates. */
export const holdsToPodSecurity: Validator = async (deps, request) => {
  if (request.object === undefined || request.operation === 'DELETE') return;
  if (request.resource === 'namespaces') {
    if (request.subresource === '') await judgeNamespace(deps, request, request.object);
    return;
  }
  if (request.resource === 'pods') {
    if (ignored.has(request.subresource)) return;
    if (request.old !== undefined && !changesPod(request.object, request.old)) return;
    await judgePod(deps, request, request.object, true);
    return;
  }
  const template = templates.get(request.resource);
  if (template === undefined || request.subresource !== '') return;
  const pod = at(request.object, ...template);
  if (isFields(pod)) await judgePod(deps, request, pod, false);
};

async function judgePod(
  { store }: AdmissionDeps,
  request: AdmissionRequest,
  pod: unknown,
  isEnforced: boolean,
): Promise<void> {
  const key = { resource: 'namespaces', namespace: '', name: request.namespace };
  const namespace = await store.get(key, { kind: 'current' });
  if (namespace === undefined) throw notFound({ group: '', resource: 'namespaces' }, request.namespace);
  const labels = namespace.object.metadata.labels ?? {};
  if (asksNothing(labels)) return;
  const { policy, causes } = policyOf(labels);
  if (causes.length > 0) {
    const texts = causes.map((cause) => `${cause.field}: ${cause.message}`);
    const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
    request.annotate('pod-security.kubernetes.io/error', `Failed to parse policy: ${list}`);
  }
  apply(request, policy, pod, isEnforced);
}

function apply(request: AdmissionRequest, policy: Policy, pod: unknown, isEnforced: boolean): void {
  const subject = subjectOf(pod);
  const says = (standard: LevelVersion): string | undefined => {
    const found = violations(standard, subject);
    return found.length === 0 ? undefined : `violate PodSecurity "${spelled(standard)}": ${described(found)}`;
  };
  const [enforced, audited, warned] = [
    isEnforced ? says(policy.enforce) : undefined,
    says(policy.audit),
    says(policy.warn),
  ];
  if (isEnforced) request.annotate('pod-security.kubernetes.io/enforce-policy', spelled(policy.enforce));
  if (audited !== undefined) request.annotate('pod-security.kubernetes.io/audit-violations', `would ${audited}`);
  if (enforced !== undefined) {
    throw forbidden({ group: '', resource: 'pods' }, request.name, enforced.replace('violate', 'violates'));
  }
  if (warned !== undefined) request.warn(`would ${warned}`);
}

async function judgeNamespace(deps: AdmissionDeps, request: AdmissionRequest, next: KubeObject): Promise<void> {
  const { policy, causes } = policyOf(next.metadata.labels ?? {});
  const before = request.old === undefined ? undefined : policyOf(request.old.metadata.labels ?? {});
  const textOf = (list: typeof causes): string => list.map(({ field, message }) => `${field} ${message}`).join();
  // Labels that were wrong before stay changeable one by one.
  if (causes.length > 0 && (before === undefined || textOf(causes) !== textOf(before.causes))) {
    throw invalid('', 'Namespace', request.name, causes);
  }
  if (before === undefined) return;
  const [now, was] = [policy.enforce, before.policy.enforce];
  if (now.level === 'privileged' || spelled(now) === spelled(was)) return;
  if (now.version === was.version && compareLevels(now.level, was.level) < 1) return;
  for (const warning of await existingViolations(deps, request.name, now)) request.warn(warning);
}

/** Warnings about pods that are there already and would be refused now; equal ones are told once. */
async function existingViolations(
  { store }: AdmissionDeps,
  namespace: string,
  now: LevelVersion,
): Promise<readonly string[]> {
  const query = { resource: 'pods', namespace, fresh: { kind: 'any' }, after: undefined, matches: undefined } as const;
  const page = await store.list({ ...query, limit: maxPods });
  const found = new Map<string, string[]>();
  for (const { object, key } of page.items) {
    const reasons = reasonsOf(violations(now, subjectOf(object)));
    if (reasons !== '') found.set(reasons, [...(found.get(reasons) ?? []), key.name]);
  }
  const partly = page.more
    ? [
        `new PodSecurity enforce level only checked against the first ${page.items.length} of ${page.items.length + (page.remaining ?? 0)} existing pods`,
      ]
    : [];
  if (found.size === 0) return partly;
  const told = [...found].map(([reasons, names]) => {
    const [first = ''] = names.toSorted();
    const others = names.length - 1;
    return `${first}${others === 0 ? '' : ` (and ${others} other ${others === 1 ? 'pod' : 'pods'})`}: ${reasons}`;
  });
  const head = `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${spelled(now)}"`;
  return [...partly, head, ...told.toSorted()];
}

function reasonsOf(found: readonly Violation[]): string {
  return found.map(({ reason }) => reason).join(', ');
}

/** Whether an update touches what the standards look at and a pod may still change: images, seccomp annotations, new containers. */
function changesPod(next: KubeObject, old: KubeObject): boolean {
  const seccomp = (pod: KubeObject, key: string): unknown => pod.metadata.annotations?.[key];
  if (
    seccomp(next, 'seccomp.security.alpha.kubernetes.io/pod') !==
    seccomp(old, 'seccomp.security.alpha.kubernetes.io/pod')
  )
    return true;
  return ['containers', 'initContainers', 'ephemeralContainers'].some((kind) => {
    const [after, before] = [listOf(at(next, 'spec', kind)), listOf(at(old, 'spec', kind))];
    if (after.length !== before.length) return true;
    const known = new Map(before.map((container) => [at(container, 'name'), container]));
    return after.some((container) => {
      const name = at(container, 'name');
      const key = `container.seccomp.security.alpha.kubernetes.io/${String(name)}`;
      return (
        !known.has(name) ||
        at(known.get(name), 'image') !== at(container, 'image') ||
        seccomp(next, key) !== seccomp(old, key)
      );
    });
  });
}
