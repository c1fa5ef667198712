/**
 * What a writer cannot change through the resource or subresource that it writes to, and so neither owns nor conflicts about.
 * Source: the reset fields of apiserver's strategies.
 */
import type { ResourceType, Subresource } from '../../../api/schema/kinds.ts';
import { findSubresource } from '../../../api/schema/kinds.ts';
import { metadataOnStatus } from '../strategy.ts';
import type { FieldSet } from './field-set.ts';
import { inside, leaf, outside, setOf, union } from './field-set.ts';

/** What of a set of fields a writer can own. */
export type Ownable = (set: FieldSet) => FieldSet;

const status = setOf('f:status');
const spec = setOf('f:spec');
const replicas = setOf('f:spec', 'f:replicas');
const metadata = setOf('f:metadata');
const notAnnotations = union(
  setOf('f:metadata', 'f:labels'),
  union(setOf('f:metadata', 'f:finalizers'), setOf('f:metadata', 'f:ownerReferences')),
);

const but =
  (...sets: readonly FieldSet[]): Ownable =>
  (set) =>
    outside(
      set,
      sets.reduce((all, one) => union(all, one), leaf),
    );
const only =
  (one: FieldSet): Ownable =>
  (set) =>
    inside(set, one);

/** What a writer of `type` through `subresource` (undefined: the object itself) can own. */
export function ownable(type: ResourceType, subresource: Subresource | undefined): Ownable {
  switch (subresource?.name) {
    case undefined:
      return findSubresource(type, 'status') === undefined ? (set) => set : but(status);
    case 'status':
      return but(spec, { all: leaf, annotations: notAnnotations, none: metadata }[metadataOnStatus(type)]);
    case 'scale':
      return only(replicas);
    case 'approval':
      return only(setOf('f:status', 'f:conditions'));
    case 'finalize':
      return only(setOf('f:spec', 'f:finalizers'));
    case 'ephemeralcontainers':
      return only(setOf('f:spec', 'f:ephemeralContainers'));
    case 'resize':
      return only(setOf('f:spec', 'f:containers'));
    default:
      return (set) => set;
  }
}
