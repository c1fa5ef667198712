/**
 * What a deletion does to an object: take it away now, mark it and wait (for finalizers, for its node), or nothing
 * because all that was asked is under way. Pure. Source: apiserver's BeforeDelete and garbage collection finalizers.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';
import type { DeleteOptions } from '../../api/types/meta.ts';
import { parseInstant, rfc3339 } from '../../std/clock.ts';
import { at, equal, fieldsOf, listOf } from '../../std/value.ts';
import { storageName } from './address.ts';
import { cleanupFinalizer, definitionsName, whileTerminating } from './custom/definition-status.ts';

const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** Seconds a pod gets that says nothing. Source: PodSpec.terminationGracePeriodSeconds. */
const defaultGraceSeconds = 30;

export type RemovePlan =
  | { readonly kind: 'remove' }
  | { readonly kind: 'mark'; readonly object: KubeObject }
  | { readonly kind: 'under-way' };

/** What deleting `object` with `options` comes to at `now` (milliseconds since the epoch). */
export function planRemoval(type: ResourceType, object: KubeObject, options: DeleteOptions, now: number): RemovePlan {
  const finalizers = withCleanup(type, object, finalizersFor(object.metadata.finalizers ?? [], options));
  const graceSeconds = graceOf(type, object, options);
  const isMarked = object.metadata.deletionTimestamp !== undefined;
  const isHeld = finalizers.length > 0 || holdsNamespace(type, object);
  if (!isHeld && graceSeconds === 0) return { kind: 'remove' };
  const marked = isMarked
    ? shortened(object, finalizers, graceSeconds)
    : markedAt(type, object, { finalizers, graceSeconds, now });
  return equal(marked, object) ? { kind: 'under-way' } : { kind: 'mark', object: marked };
}

/** Whether an update that results in `object` is the end of it: it was marked, and nothing holds it any longer. */
export function isDeletedByUpdate(type: ResourceType, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  return (
    deletionTimestamp !== undefined &&
    deletionGracePeriodSeconds === 0 &&
    finalizers.length === 0 &&
    !holdsNamespace(type, object)
  );
}

/** The finalizers after what `propagationPolicy` (or the older orphanDependents) says of dependents. */
function finalizersFor(present: readonly string[], options: DeleteOptions): readonly string[] {
  const policy = options.propagationPolicy ?? (options.orphanDependents === true ? 'Orphan' : undefined);
  if (policy === undefined && options.orphanDependents === undefined) return present;
  const others = present.filter((name) => name !== orphanFinalizer && name !== foregroundFinalizer);
  if (policy === 'Orphan') return [...others, orphanFinalizer];
  if (policy === 'Foreground') return [...others, foregroundFinalizer];
  return others;
}

/** A definition goes when the objects of its kind have gone. */
function withCleanup(type: ResourceType, object: KubeObject, finalizers: readonly string[]): readonly string[] {
  const isBegin = storageName(type) === definitionsName && object.metadata.deletionTimestamp === undefined;
  return isBegin && !finalizers.includes(cleanupFinalizer) ? [...finalizers, cleanupFinalizer] : finalizers;
}

/** A namespace goes when its content is gone, which its spec.finalizers stand for. */
function holdsNamespace(type: ResourceType, object: KubeObject): boolean {
  return storageName(type) === 'namespaces' && listOf(at(object, 'spec', 'finalizers')).length > 0;
}

/** Only pods end gracefully: those that a node may be running. */
function graceOf(type: ResourceType, object: KubeObject, options: DeleteOptions): number {
  if (storageName(type) !== 'pods') return 0;
  const own = at(object, 'spec', 'terminationGracePeriodSeconds');
  const asked = options.gracePeriodSeconds ?? (typeof own === 'number' ? own : defaultGraceSeconds);
  const phase = at(object, 'status', 'phase');
  if ((at(object, 'spec', 'nodeName') ?? '') === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
  if (object.metadata.deletionTimestamp !== undefined && options.gracePeriodSeconds === undefined) {
    return object.metadata.deletionGracePeriodSeconds ?? 0;
  }
  return asked < 0 ? 1 : asked;
}

function markedAt(
  type: ResourceType,
  object: KubeObject,
  mark: { readonly finalizers: readonly string[]; readonly graceSeconds: number; readonly now: number },
): KubeObject {
  const { generation } = object.metadata;
  const marked: KubeObject = {
    ...object,
    metadata: {
      ...object.metadata,
      deletionTimestamp: rfc3339(mark.now + mark.graceSeconds * 1000),
      deletionGracePeriodSeconds: mark.graceSeconds,
      ...(mark.finalizers.length > 0 ? { finalizers: mark.finalizers } : {}),
      ...(generation === undefined || generation === 0 ? {} : { generation: generation + 1 }),
    },
  };
  if (storageName(type) === definitionsName) {
    const message = 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon';
    return whileTerminating(marked, { isTrue: true, reason: 'InstanceDeletionPending', message }, mark.now);
  }
  if (storageName(type) !== 'namespaces') return marked;
  return { ...marked, status: { ...fieldsOf(object['status']), phase: 'Terminating' } };
}

/** A deletion that is under way can only be hastened. */
function shortened(object: KubeObject, finalizers: readonly string[], graceSeconds: number): KubeObject {
  const { deletionGracePeriodSeconds: before = 0, deletionTimestamp = '' } = object.metadata;
  const due = parseInstant(deletionTimestamp);
  const sooner = graceSeconds < before && due !== undefined;
  const { finalizers: _present, ...rest } = object.metadata;
  return {
    ...object,
    metadata: {
      ...rest,
      ...(finalizers.length > 0 ? { finalizers } : {}),
      ...(sooner
        ? {
            deletionTimestamp: rfc3339(due - (before - graceSeconds) * 1000),
            deletionGracePeriodSeconds: graceSeconds,
          }
        : {}),
    },
  };
}
