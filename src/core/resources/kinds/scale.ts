/** The Scale of what has replicas. Source: autoscaling/v1 Scale, subresource scale of apps/v1 and v1. */
import type { KubeObject } from '../../../api/meta.ts';
import { formatSelector, selectorOf } from '../../../api/selector.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import { badRequest } from '../../../api/status.ts';
import { at, fieldsOf } from '../../../std/value.ts';
import { scaleEntries } from '../apply/scale.ts';

/** `object` as a Scale: how many replicas it wants, has, and by which labels they are found. */
export function scaleOf(type: ResourceType, object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp, managedFields } = object.metadata;
  const owners = scaleEntries(type, managedFields);
  const replicas = at(object, 'spec', 'replicas');
  const selector = fieldsOf(at(object, 'spec', 'selector'));
  // A ReplicationController's selector is a plain map of labels.
  const labels = type.kind === 'ReplicationController' ? { matchLabels: selector } : selector;
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(owners.length === 0 ? {} : { managedFields: owners }),
    },
    spec: replicas === undefined ? {} : { replicas },
    status: { replicas: at(object, 'status', 'replicas') ?? 0, selector: formatSelector(selectorOf(labels)) },
  };
}

/** `old` with the replicas that `scale` asks for. Throws BadRequest for a number of replicas that cannot be. */
export function withScale(type: ResourceType, scale: KubeObject, old: KubeObject): KubeObject {
  const replicas = at(scale, 'spec', 'replicas') ?? 0;
  if (typeof replicas !== 'number' || replicas < 0) {
    throw badRequest(
      `${type.kind} cannot have ${JSON.stringify(replicas)} replicas: spec.replicas must be greater than or equal to 0`,
    );
  }
  const { resourceVersion } = scale.metadata;
  return {
    ...old,
    metadata: resourceVersion === undefined ? old.metadata : { ...old.metadata, resourceVersion },
    spec: { ...fieldsOf(old['spec']), replicas },
  };
}
