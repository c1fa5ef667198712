/** What is wrong with an object of a custom kind: its values, embedded objects, lists, scale, and its rules. Pure. */
import type { KubeObject } from '../../../api/meta.ts';
import type { CustomKind, ScalePaths } from '../../../api/schema/custom/kind.ts';
import type { Structural } from '../../../api/schema/custom/structural.ts';
import { hasRules } from '../../../api/schema/custom/structural.ts';
import { builtin } from '../../../api/schema/builtin.ts';
import { conform } from '../../../api/schema/conform.ts';
import type { FieldCause } from '../../../api/status.ts';
import { StatusError } from '../../../api/status.ts';
import { at, isFields } from '../../../std/value.ts';
import { forbiddenField, invalidValue, required } from '../validate/causes.ts';
import { listCauses } from './lists.ts';
import type { RuleValidator } from './rules.ts';
import { valueCauses } from './values.ts';

/** What is wrong with `object`, apart from its metadata; `old` is what it was before an update. */
export function customCauses(
  custom: CustomKind,
  object: KubeObject,
  old: KubeObject | undefined,
  rules: RuleValidator | undefined,
): readonly FieldCause[] {
  const { schema } = custom;
  const causes = [
    ...valueCauses(schema, object, old),
    ...(custom.scale === undefined ? [] : scaleCauses(custom.scale, object)),
    ...embeddedCauses(schema, object, ''),
    // Duplicates that were there before are their owner's to mend, at a time of their own.
    ...(old !== undefined && listCauses(schema, old).length > 0 ? [] : listCauses(schema, object)),
  ];
  if (causes.length > 0 || !hasRules(schema)) return causes;
  if (rules === undefined) return [forbiddenField('<nil>', 'the rules of this kind cannot be enforced by this server')];
  return rules.causes(schema, object, old);
}

function scaleCauses(
  { specReplicas, statusReplicas, selector }: ScalePaths,
  object: KubeObject,
): readonly FieldCause[] {
  const count = (path: readonly string[]): readonly FieldCause[] => {
    const value = at(object, ...path);
    if (value === undefined || (typeof value === 'number' && value >= 0 && value <= 2_147_483_647)) return [];
    const why = typeof value === 'number' && value < 0 ? 'should be a non-negative integer' : 'should be an integer';
    return [invalidValue(`.${path.join('.')}`, value, why)];
  };
  const labels = selector === undefined ? undefined : at(object, ...selector);
  return [
    ...count(specReplicas),
    ...count(statusReplicas),
    ...(labels === undefined || typeof labels === 'string'
      ? []
      : [invalidValue(`.${(selector ?? []).join('.')}`, labels, 'should be a string')]),
  ];
}

/** Objects inside objects say what they are, and have metadata of the right types. */
function embeddedCauses(schema: Structural, value: unknown, path: string): readonly FieldCause[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? [] : value.flatMap((item, index) => embeddedCauses(items, item, `${path}[${index}]`));
  }
  if (!isFields(value)) return [];
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const own = schema.embedded
    ? [
        ...['apiVersion', 'kind'].flatMap((name) => {
          const given = Object.hasOwn(value, name) ? value[name] : undefined;
          if (given === undefined || given === '') return [required(below(name), 'must not be empty')];
          return typeof given === 'string' ? [] : [invalidValue(below(name), given, 'must be a string')];
        }),
        ...metadataCauses(value['metadata'], below('metadata')),
      ]
    : [];
  return [
    ...own,
    ...Object.entries(value).flatMap(([name, inner]) => {
      const schemaBelow = schema.properties.get(name) ?? schema.additional;
      return typeof schemaBelow === 'object' ? embeddedCauses(schemaBelow, inner, below(name)) : [];
    }),
  ];
}

function metadataCauses(metadata: unknown, path: string): readonly FieldCause[] {
  if (metadata === undefined) return [];
  try {
    conform(builtin('meta/v1', 'ObjectMeta'), metadata);
    return [];
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return [invalidValue(path, metadata, error.message)];
  }
}
