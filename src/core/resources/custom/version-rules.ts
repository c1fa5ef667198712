/** What a version of a definition may declare beside its schema, and how versions are converted. Words as upstream has them. */
import { parseJsonPath } from '../../../api/schema/custom/json-path.ts';
import { parseStructural } from '../../../api/schema/custom/structural.ts';
import type { Structural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '../validate/causes.ts';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const maxSelectableFields = 8;
/** Source: upstream's limit. */
const maxDeprecationWarning = 256;

/** What is wrong with `version`, at `path`, apart from its name and schema. */
export function versionCauses(version: Fields, path: string): readonly FieldCause[] {
  return [
    ...deprecationCauses(version, path),
    ...listOf(version['additionalPrinterColumns']).flatMap((column, index) =>
      columnCauses(fieldsOf(column), `${path}.additionalPrinterColumns[${index}]`),
    ),
    ...scaleCauses(at(version, 'subresources', 'scale'), `${path}.subresources.scale`),
    ...selectableCauses(version, `${path}.selectableFields`),
  ];
}

function deprecationCauses(version: Fields, path: string): readonly FieldCause[] {
  const warning = version['deprecationWarning'];
  if (warning === undefined) return [];
  const field = `${path}.deprecationWarning`;
  if (version['deprecated'] !== true) return [invalidValue(field, warning, 'can only be set for deprecated versions')];
  const text = textOf(warning);
  if (text === '') return [invalidValue(field, warning, 'must not be an empty string')];
  return text.length > maxDeprecationWarning
    ? [invalidValue(field, warning, `must be <= ${maxDeprecationWarning} characters in length, was ${text.length}`)]
    : [];
}

function columnCauses(column: Fields, path: string): readonly FieldCause[] {
  const [name, type, format, jsonPath] = ['name', 'type', 'format', 'jsonPath'].map((field) => textOf(column[field]));
  const among = (field: string, value: string, known: readonly string[]): readonly FieldCause[] =>
    known.includes(value) ? [] : [invalidValue(`${path}.${field}`, value, `must be one of ${known.join(',')}`)];
  return [
    ...(name === '' ? [required(`${path}.name`)] : []),
    ...(type === '' ? [required(`${path}.type`)] : among('type', type ?? '', columnTypes)),
    ...(format === '' ? [] : among('format', format ?? '', columnFormats)),
    ...(jsonPath === '' ? [required(`${path}.jsonPath`)] : simplePathCauses(jsonPath ?? '', `${path}.jsonPath`)),
  ];
}

function simplePathCauses(text: string, field: string): readonly FieldCause[] {
  if (!text.startsWith('.')) return [invalidValue(field, text, 'must be a simple json path starting with .')];
  return parseJsonPath(text) === undefined
    ? [invalidValue(field, text, 'is an invalid path: it is no JSONPath that can be evaluated')]
    : [];
}

function scaleCauses(scale: unknown, path: string): readonly FieldCause[] {
  if (scale === undefined) return [];
  const fields = fieldsOf(scale);
  const under = (field: string, roots: readonly string[], why: string): readonly FieldCause[] => {
    const text = textOf(fields[field]);
    if (text === '') return [required(`${path}.${field}`)];
    if (text.includes('[')) return [invalidValue(`${path}.${field}`, text, 'must not contain [ or ]')];
    const spelled = simplePathCauses(text, `${path}.${field}`);
    if (spelled.length > 0) return spelled;
    return roots.some((root) => text.startsWith(`${root}.`)) ? [] : [invalidValue(`${path}.${field}`, text, why)];
  };
  return [
    ...under('specReplicasPath', ['.spec'], 'should be a json path under .spec'),
    ...under('statusReplicasPath', ['.status'], 'should be a json path under .status'),
    ...(fields['labelSelectorPath'] === undefined
      ? []
      : under('labelSelectorPath', ['.spec', '.status'], 'should be a json path under either .spec or .status')),
  ];
}

function selectableCauses(version: Fields, path: string): readonly FieldCause[] {
  const fields = listOf(version['selectableFields']).map((one) => textOf(fieldsOf(one)['jsonPath']));
  const schema = parseStructural(at(version, 'schema', 'openAPIV3Schema'));
  const seen = new Set<string>();
  return [
    ...fields.flatMap((text, index) => {
      const field = `${path}[${index}].jsonPath`;
      if (text === '') return [required(field)];
      if (seen.has(text)) return [duplicate(field, text)];
      seen.add(text);
      if (!/^(\.[a-zA-Z_][\w-]*)+$/.test(text)) {
        return [invalidValue(field, text, 'is an invalid path: does not refer to a valid field')];
      }
      if (text.startsWith('.metadata.')) {
        return [invalidValue(field, text, 'must not point to fields in metadata')];
      }
      const target = declaredAt(schema, text.slice(1).split('.'));
      if (target === undefined)
        return [invalidValue(field, text, 'is an invalid path: does not refer to a valid field')];
      return ['string', 'boolean', 'integer'].includes(target.type)
        ? []
        : [invalidValue(field, text, 'must point to a field of type string, boolean or integer')];
    }),
    ...(fields.length > maxSelectableFields
      ? [
          {
            reason: 'FieldValueTooMany',
            field: path,
            message: `Too many: ${fields.length}: must have at most ${maxSelectableFields} items`,
          },
        ]
      : []),
  ];
}

function declaredAt(schema: Structural, names: readonly string[]): Structural | undefined {
  return names.reduce<Structural | undefined>((here, name) => here?.properties.get(name), schema);
}

/** What is wrong with the conversion that `spec` declares. */
export function conversionCauses(spec: Fields): readonly FieldCause[] {
  const path = 'spec.conversion';
  const conversion = fieldsOf(spec['conversion']);
  const strategy = textOf(conversion['strategy']);
  if (spec['conversion'] === undefined) return [];
  if (strategy === '') return [required(`${path}.strategy`)];
  if (strategy !== 'None' && strategy !== 'Webhook') {
    return [notSupported(`${path}.strategy`, strategy, ['None', 'Webhook'])];
  }
  const { webhook } = conversion;
  if (strategy === 'None') {
    return webhook === undefined
      ? []
      : [forbiddenField(`${path}.webhook`, 'should not be set when strategy is not set to Webhook')];
  }
  if (webhook === undefined) return [required(`${path}.webhook`, 'required when strategy is set to Webhook')];
  const causes = webhookCauses(fieldsOf(webhook), `${path}.webhook`);
  if (causes.length > 0) return causes;
  // Objects that nobody converts would be served as what they are not.
  return [
    forbiddenField(`${path}.strategy`, 'conversion webhooks are not called by this server, so only None is served'),
  ];
}

function webhookCauses(webhook: Fields, path: string): readonly FieldCause[] {
  const field = `${path}.clientConfig`;
  const config = webhook['clientConfig'];
  const versions = listOf(webhook['conversionReviewVersions']).map(textOf);
  return [
    ...(config === undefined
      ? [required(field, 'required when strategy is set to Webhook')]
      : clientCauses(fieldsOf(config), field)),
    ...(versions.length === 0 ? [required(`${path}.conversionReviewVersions`)] : []),
    ...(versions.length > 0 && !versions.includes('v1')
      ? [invalidValue(`${path}.conversionReviewVersions`, versions, 'must include at least one of v1')]
      : []),
  ];
}

function clientCauses(config: Fields, field: string): readonly FieldCause[] {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined)) {
    return [required(field, 'exactly one of url or service is required')];
  }
  if (typeof url === 'string') {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    const shape = 'desired format: https://host[/path]';
    if (parsed === undefined) return [invalidValue(`${field}.url`, url, `url must be a valid URL; ${shape}`)];
    if (parsed.protocol !== 'https:') {
      return [
        invalidValue(`${field}.url`, parsed.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${shape}`),
      ];
    }
    if (parsed.username !== '' || parsed.password !== '') {
      return [invalidValue(`${field}.url`, '', 'user information is not permitted in the URL')];
    }
    if (parsed.hash !== '')
      return [invalidValue(`${field}.url`, parsed.hash, 'fragments are not permitted in the URL')];
    return parsed.search === ''
      ? []
      : [invalidValue(`${field}.url`, parsed.search, 'query parameters are not permitted in the URL')];
  }
  const { name, namespace, port } = fieldsOf(service);
  return [
    ...(textOf(name) === '' ? [required(`${field}.service.name`, 'service name is required')] : []),
    ...(textOf(namespace) === '' ? [required(`${field}.service.namespace`, 'service namespace is required')] : []),
    ...(port === undefined || (typeof port === 'number' && port >= 1 && port <= 65_535)
      ? []
      : [invalidValue(`${field}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive')]),
  ];
}
