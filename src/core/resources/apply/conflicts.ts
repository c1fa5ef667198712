/** What an applier is told when it would change what others own. Wording and causes: upstream's. */
import { StatusError } from '../../../api/status.ts';
import type { FieldSet } from './field-set.ts';
import { pathsOf } from './field-set.ts';
import type { Entry } from './managers.ts';
import { pathText } from './path-element.ts';

/** What of `fields` the owner of `entry` has and the applier would change. */
export interface Conflict {
  readonly entry: Entry;
  readonly fields: FieldSet;
}

/** The refusal of an apply: a Conflict with one cause for each field and owner. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const found = conflicts
    .map(({ entry, fields }) => ({ owner: ownerText(entry), paths: [...pathsOf(fields)].map(pathText) }))
    .toSorted((a, b) => (a.owner < b.owner ? -1 : 1));
  const causes = found.flatMap(({ owner, paths }) =>
    paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${owner}`, field })),
  );
  const [only] = causes;
  const message =
    causes.length === 1 && only !== undefined
      ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
      : `Apply failed with ${causes.length} conflicts: ${found
          .flatMap(({ owner, paths }) => [`conflicts with ${owner}:`, ...paths.map((path) => `- ${path}`)])
          .join('\n')}`;
  return new StatusError('Conflict', message, { details: { causes } });
}

/** An applier is known by its name, an updater also by what it wrote in. */
function ownerText({ manager, operation, apiVersion, subresource = '' }: Entry): string {
  const name = JSON.stringify(manager);
  const through = subresource === '' ? name : `${name} with subresource ${JSON.stringify(subresource)}`;
  return operation === 'Update' ? `${through} using ${apiVersion}` : through;
}
