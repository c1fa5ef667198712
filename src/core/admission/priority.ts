/** A pod's priority is what its PriorityClass says. Source: kube-apiserver, admission plugin Priority. */
import type { KubeObject } from '../../api/meta.ts';
import { forbidden } from '../../api/status.ts';
import { at, fieldsOf, textOf } from '../../std/value.ts';
import type { AdmissionDeps, Mutator } from './chain.ts';

const resource = 'priorityclasses.scheduling.k8s.io';

/** Classes that exist without being created. Source: scheduling.k8s.io/v1, system priority classes. */
const builtin: ReadonlyMap<string, number> = new Map([
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
]);

interface Resolved {
  readonly name: string;
  readonly priority: number;
  readonly preemptionPolicy: string;
}

/** Sets priority and preemptionPolicy of a new pod. Throws Forbidden for a class that is not there, or another number than its class's. */
export const withPriority: Mutator = async (deps, request, object) => {
  if (request.resource !== 'pods' || request.subresource !== '') return object;
  const spec = fieldsOf(object['spec']);
  if (request.operation === 'UPDATE') {
    const old = fieldsOf(request.old?.['spec']);
    if (spec['priority'] !== undefined || old['priority'] === undefined) return object;
    return { ...object, spec: { ...spec, priority: old['priority'], preemptionPolicy: old['preemptionPolicy'] } };
  }
  if (request.operation !== 'CREATE') return object;
  const refuse = (why: string): Error => forbidden({ group: '', resource: 'pods' }, request.name, why);
  const asked = textOf(spec['priorityClassName']);
  const found = asked === '' ? await defaultClass(deps) : await classNamed(deps, asked);
  if (found === undefined) throw refuse(`no PriorityClass with name ${asked} was found`);
  if (spec['priority'] !== undefined && spec['priority'] !== found.priority) {
    throw refuse(
      `the integer value of priority (${JSON.stringify(spec['priority'])}) must not be provided in pod spec; priority admission controller computed ${found.priority} from the given PriorityClass name`,
    );
  }
  const policy = textOf(spec['preemptionPolicy']);
  if (policy !== '' && policy !== found.preemptionPolicy) {
    throw refuse(
      `the string value of PreemptionPolicy (${policy}) must not be provided in pod spec; priority admission controller computed ${found.preemptionPolicy} from the given PriorityClass name`,
    );
  }
  const { name, priority, preemptionPolicy } = found;
  return {
    ...object,
    spec: { ...spec, ...(name === '' ? {} : { priorityClassName: name }), priority, preemptionPolicy },
  };
};

async function classNamed({ store }: AdmissionDeps, name: string): Promise<Resolved | undefined> {
  const stored = await store.get({ resource, namespace: '', name }, { kind: 'current' });
  if (stored !== undefined) return resolved(stored.object);
  const priority = builtin.get(name);
  return priority === undefined ? undefined : { name, priority, preemptionPolicy: 'PreemptLowerPriority' };
}

/** The class that is marked as global default, the lowest if there are several; without one priority 0. */
async function defaultClass({ store }: AdmissionDeps): Promise<Resolved> {
  const page = await store.list({
    resource,
    namespace: undefined,
    fresh: { kind: 'any' },
    limit: undefined,
    after: undefined,
    matches: (object) => object['globalDefault'] === true,
  });
  const [lowest] = page.items.map((stored) => resolved(stored.object)).toSorted((a, b) => a.priority - b.priority);
  return lowest ?? { name: '', priority: 0, preemptionPolicy: 'PreemptLowerPriority' };
}

function resolved(object: KubeObject): Resolved {
  const value = at(object, 'value');
  return {
    name: object.metadata.name ?? '',
    priority: typeof value === 'number' ? value : 0,
    preemptionPolicy: textOf(object['preemptionPolicy']) || 'PreemptLowerPriority',
  };
}
