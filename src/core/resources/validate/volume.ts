/** Volumes of a pod: one source each, and what every source needs. Source: core/v1 Volume. */
import type { FieldCause } from '../../../api/status.ts';
import type { Fields } from '../../../std/value.ts';
import { at, fieldsOf, isFields, listOf, textOf } from '../../../std/value.ts';
import { duplicate, forbiddenField, invalidValue, required } from './causes.ts';
import { dnsLabel } from './names.ts';

/** What is wrong with the volumes at `field`. */
export function volumeCauses(volumes: readonly unknown[], field: string): readonly FieldCause[] {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const path = `${field}[${index}]`;
    const causes: FieldCause[] = [];
    const name = textOf(at(volume, 'name'));
    const why = name === '' ? undefined : dnsLabel(name);
    if (name === '') causes.push(required(`${path}.name`));
    if (why !== undefined) causes.push(invalidValue(`${path}.name`, name, why));
    if (name !== '' && names.has(name)) causes.push(duplicate(`${path}.name`, name));
    names.add(name);
    const sources = Object.entries(fieldsOf(volume)).filter(([key, value]) => key !== 'name' && isFields(value));
    if (sources.length === 0) causes.push(required(path, 'must specify a volume type'));
    for (const [kind] of sources.slice(1))
      causes.push(forbiddenField(`${path}.${kind}`, 'may not specify more than 1 volume type'));
    const [first] = sources;
    if (first !== undefined) causes.push(...sourceCauses(first[0], fieldsOf(first[1]), `${path}.${first[0]}`));
    return causes;
  });
}

function sourceCauses(kind: string, source: Fields, field: string): readonly FieldCause[] {
  switch (kind) {
    case 'hostPath':
      return textOf(source['path']) === ''
        ? [required(`${field}.path`)]
        : backsteps(textOf(source['path']), `${field}.path`);
    case 'secret':
      return [
        ...(textOf(source['secretName']) === '' ? [required(`${field}.secretName`)] : []),
        ...itemCauses(source, field),
      ];
    case 'configMap':
      return [...(textOf(source['name']) === '' ? [required(`${field}.name`)] : []), ...itemCauses(source, field)];
    case 'persistentVolumeClaim':
      return textOf(source['claimName']) === '' ? [required(`${field}.claimName`)] : [];
    case 'nfs':
      return [
        ...(textOf(source['server']) === '' ? [required(`${field}.server`)] : []),
        ...(textOf(source['path']) === '' ? [required(`${field}.path`)] : []),
      ];
    case 'projected':
      return listOf(source['sources']).flatMap((one, index) => {
        const path = `${field}.sources[${index}]`;
        const expires = at(one, 'serviceAccountToken', 'expirationSeconds');
        return [
          ...['secret', 'configMap'].flatMap((part) => itemCauses(fieldsOf(at(one, part)), `${path}.${part}`)),
          ...(typeof expires === 'number' && expires < 600
            ? [
                invalidValue(
                  `${path}.serviceAccountToken.expirationSeconds`,
                  expires,
                  'may not specify a duration less than 10 minutes',
                ),
              ]
            : []),
        ];
      });
    default:
      return [];
  }
}

function itemCauses(source: Fields, field: string): readonly FieldCause[] {
  const mode = source['defaultMode'];
  return [
    ...(typeof mode === 'number' && (mode < 0 || mode > 0o777)
      ? [invalidValue(`${field}.defaultMode`, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
      : []),
    ...listOf(source['items']).flatMap((item, index) => {
      const path = `${field}.items[${index}]`;
      const [key, where] = [textOf(at(item, 'key')), textOf(at(item, 'path'))];
      return [
        ...(key === '' ? [required(`${path}.key`)] : []),
        ...(where === '' ? [required(`${path}.path`)] : []),
        ...(where.startsWith('/')
          ? [invalidValue(`${path}.path`, where, 'must be a relative path')]
          : backsteps(where, `${path}.path`)),
      ];
    }),
  ];
}

function backsteps(path: string, field: string): readonly FieldCause[] {
  return path.split('/').includes('..') ? [invalidValue(field, path, "must not contain '..'")] : [];
}
