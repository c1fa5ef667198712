/**
 * LimitRange: what a container gets that does not say what it needs, and how much or how little a container, a pod or a
 * claim may ask for. Source: kube-apiserver, admission plugin LimitRanger.
 */
import type { KubeObject } from '../../api/meta.ts';
import { forbidden } from '../../api/status.ts';
import type { Fields } from '../../std/value.ts';
import { at, fieldsOf, listOf, textOf } from '../../std/value.ts';
import type { AdmissionDeps, AdmissionRequest, Mutator, Validator } from './chain.ts';
import { limitFaults } from './limit-faults.ts';
import type { Asked } from './limit-faults.ts';
import { podUsage, quantitiesOf } from './pod-usage.ts';

const annotation = 'kubernetes.io/limit-ranger';

/** Fills in the requests and limits of a new pod's containers, and notes in an annotation which. */
export const withLimitDefaults: Mutator = async (deps, request, object) => {
  if (request.resource !== 'pods' || request.subresource !== '' || request.operation !== 'CREATE') return object;
  const ranges = await rangesIn(deps, request.namespace);
  return ranges.reduce(withDefaultsOf, object);
};

/** Refuses pods and claims outside the bounds of their namespace (Forbidden). */
export const keepsLimits: Validator = async (deps, request) => {
  const { object } = request;
  if (object === undefined || object.metadata.deletionTimestamp !== undefined || !isLimited(request)) return;
  const faults = (await rangesIn(deps, request.namespace)).flatMap((range) =>
    listOf(at(range, 'spec', 'limits')).flatMap((item) =>
      askedOf(request.resource, textOf(at(item, 'type')), object).flatMap((asked) =>
        limitFaults(fieldsOf(item), asked),
      ),
    ),
  );
  const texts = [...new Set(faults)];
  if (texts.length === 0) return;
  const why = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
  throw forbidden({ group: '', resource: request.resource }, request.name, why);
};

/** A pod's resources change by resize alone; a claim's may grow by an update. */
function isLimited({ resource, subresource, operation }: AdmissionRequest): boolean {
  if (resource === 'persistentvolumeclaims') return subresource === '';
  if (resource !== 'pods') return false;
  return operation === 'CREATE' ? subresource === '' : subresource === 'resize';
}

async function rangesIn({ store }: AdmissionDeps, namespace: string): Promise<readonly KubeObject[]> {
  const query = { resource: 'limitranges', namespace, fresh: { kind: 'any' } } as const;
  const page = await store.list({ ...query, limit: undefined, after: undefined, matches: undefined });
  return page.items.map(({ object }) => object);
}

/** What `object` asks for of the things that a limit of `type` bounds. */
function askedOf(resource: string, type: string, object: KubeObject): readonly Asked[] {
  const spec = fieldsOf(object['spec']);
  const of = (resources: unknown): Asked => ({
    requests: quantitiesOf(at(resources, 'requests')),
    limits: quantitiesOf(at(resources, 'limits')),
  });
  if (resource === 'persistentvolumeclaims') return type === 'PersistentVolumeClaim' ? [of(spec['resources'])] : [];
  if (type === 'Container') {
    return [...listOf(spec['containers']), ...listOf(spec['initContainers'])].map((container) =>
      of(at(container, 'resources')),
    );
  }
  return type === 'Pod' ? [{ requests: podUsage(object, 'requests'), limits: podUsage(object, 'limits') }] : [];
}

function withDefaultsOf(pod: KubeObject, range: KubeObject): KubeObject {
  const items = listOf(at(range, 'spec', 'limits')).filter((item) => at(item, 'type') === 'Container');
  const merged = (field: string): Fields => Object.assign({}, ...items.map((item) => fieldsOf(at(item, field))));
  const defaults = { requests: merged('defaultRequest'), limits: merged('default') };
  const notes: string[] = [];
  const filled = (container: unknown, kind: string): unknown => {
    const resources = fieldsOf(at(container, 'resources'));
    let next = resources;
    for (const [side, word] of [
      ['requests', 'request'],
      ['limits', 'limit'],
    ] as const) {
      const own = fieldsOf(resources[side]);
      const missing = Object.keys(defaults[side]).filter((name) => own[name] === undefined);
      if (missing.length === 0) continue;
      notes.push(`${missing.toSorted().join(', ')} ${word} for ${kind} ${textOf(at(container, 'name'))}`);
      next = { ...next, [side]: { ...defaults[side], ...own } };
    }
    return next === resources ? container : { ...fieldsOf(container), resources: next };
  };
  const spec = fieldsOf(pod['spec']);
  const containers = listOf(spec['containers']).map((container) => filled(container, 'container'));
  const initContainers = listOf(spec['initContainers']).map((container) => filled(container, 'init container'));
  if (notes.length === 0) return pod;
  const annotations = { ...pod.metadata.annotations, [annotation]: `LimitRanger plugin set: ${notes.join('; ')}` };
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: { ...spec, containers, ...(initContainers.length === 0 ? {} : { initContainers }) },
  };
}
