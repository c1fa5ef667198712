/** The objects that a list or watch wants. */
import { matchesFields, nameIn, parseFieldSelector } from '../../api/field-selector.ts';
import type { KubeObject } from '../../api/meta.ts';
import { matchesLabels, parseLabelSelector } from '../../api/selector.ts';
import type { Address } from './address.ts';
import { toServed } from './faces.ts';
import type { ListOptions } from './resources.ts';

export interface Selection {
  /** undefined: every object. Takes objects as they are stored. */
  readonly matches: ((object: KubeObject) => boolean) | undefined;
}

/** What the selectors of `options`, and a name in the address, select. Throws BadRequest where they do not parse. */
export function selectionOf({ type, of, target }: Address, options: ListOptions): Selection {
  const fields = parseFieldSelector(of, options.fieldSelector, type.custom?.selectable);
  const labels = parseLabelSelector(options.labelSelector);
  if (target.name !== '' && (nameIn(fields) ?? target.name) !== target.name) return { matches: () => false };
  if (fields.length === 0 && labels.length === 0 && target.name === '') return { matches: undefined };
  return {
    matches: (object) =>
      (target.name === '' || object.metadata.name === target.name) &&
      matchesLabels(labels, object.metadata.labels) &&
      (fields.length === 0 || matchesFields(fields, toServed(type, object))),
  };
}
