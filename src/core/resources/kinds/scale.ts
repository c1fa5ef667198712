/** The Scale of what has replicas. Source: autoscaling/v1 Scale, subresource scale of apps/v1 and v1. */
import type { KubeObject } from '../../../api/meta.ts';
import type { ScalePaths } from '../../../api/schema/custom/kind.ts';
import { formatSelector, selectorOf } from '../../../api/selector.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import { StatusError, badRequest, invalid } from '../../../api/status.ts';
import { invalidValue } from '../validate/causes.ts';
import { at, fieldsOf, textOf, withAt } from '../../../std/value.ts';
import { scaleEntries } from '../apply/scale.ts';

/** `object` as a Scale: how many replicas it wants, has, and by which labels they are found. */
export function scaleOf(type: ResourceType, object: KubeObject): KubeObject {
  const paths = type.custom?.scale;
  if (paths !== undefined) return customScale(type, paths, object);
  const replicas = at(object, 'spec', 'replicas');
  const selector = fieldsOf(at(object, 'spec', 'selector'));
  // A ReplicationController's selector is a plain map of labels.
  const labels = type.kind === 'ReplicationController' ? { matchLabels: selector } : selector;
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: identityOf(type, object),
    spec: replicas === undefined ? {} : { replicas },
    status: { replicas: at(object, 'status', 'replicas') ?? 0, selector: formatSelector(selectorOf(labels)) },
  };
}

/** Of a custom kind: its definition says where the numbers are, and its selector is text already. Throws InternalError where it has none. */
function customScale(
  type: ResourceType,
  { specReplicas, statusReplicas, selector }: ScalePaths,
  object: KubeObject,
): KubeObject {
  const replicas = at(object, ...specReplicas);
  if (replicas === undefined) {
    const path = JSON.stringify(`.${specReplicas.join('.')}`);
    throw new StatusError('InternalError', `Internal error occurred: the spec replicas field ${path} does not exist`);
  }
  const labels = selector === undefined ? '' : textOf(at(object, ...selector));
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: identityOf(type, object),
    spec: { replicas },
    status: { replicas: at(object, ...statusReplicas) ?? 0, ...(labels === '' ? {} : { selector: labels }) },
  };
}

function identityOf(type: ResourceType, { metadata }: KubeObject): KubeObject['metadata'] {
  const { name, namespace, uid, resourceVersion, creationTimestamp, managedFields } = metadata;
  const owners = scaleEntries(type, managedFields);
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(owners.length === 0 ? {} : { managedFields: owners }),
  };
}

/** `old` with the replicas that `scale` asks for. Throws BadRequest for a number of replicas that cannot be. */
export function withScale(type: ResourceType, scale: KubeObject, old: KubeObject): KubeObject {
  const replicas = at(scale, 'spec', 'replicas') ?? 0;
  const paths = type.custom?.scale;
  if (paths !== undefined && typeof replicas === 'number' && replicas < 0) {
    throw invalid('autoscaling', 'Scale', scale.metadata.name ?? '', [
      invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  if (typeof replicas !== 'number' || replicas < 0) {
    throw badRequest(
      `${type.kind} cannot have ${JSON.stringify(replicas)} replicas: spec.replicas must be greater than or equal to 0`,
    );
  }
  const { resourceVersion } = scale.metadata;
  if (paths !== undefined) {
    const metadata = resourceVersion === undefined ? old.metadata : { ...old.metadata, resourceVersion };
    return { ...withAt(old, paths.specReplicas, replicas), metadata } as KubeObject; // old with one part changed
  }
  return {
    ...old,
    metadata: resourceVersion === undefined ? old.metadata : { ...old.metadata, resourceVersion },
    spec: { ...fieldsOf(old['spec']), replicas },
  };
}
