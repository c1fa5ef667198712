import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { applyDefaults } from '../../../../src/api/schema/defaults.ts';
import { definitionCauses } from '../../../../src/core/resources/custom/definition-rules.ts';
import { cronTab, schemaOf } from '../../../support/definitions.ts';

const of = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
const said = (definition: object): readonly string[] =>
  definitionCauses(applyDefaults(of, definition as never) as unknown as KubeObject, undefined).map(
    ({ field, message }) => `${field}: ${message}`,
  );

test('a valid definition is fine', () => {
  expect(said(cronTab())).toEqual([]);
});

describe('a definition', () => {
  const label =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
  const version = (more: object): object => ({
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object' } },
    ...more,
  });
  test.for<{ readonly what: string; readonly more: Parameters<typeof cronTab>[0]; readonly says: readonly string[] }>([
    {
      what: 'of another name than its resource',
      more: { metadata: { name: 'tabs.stable.example.com' } },
      says: ['metadata.name: Invalid value: "tabs.stable.example.com": must be spec.names.plural+"."+spec.group'],
    },
    {
      what: 'of a group without a dot',
      more: { metadata: { name: 'crontabs.stable' }, spec: { group: 'stable' } },
      says: ['spec.group: Invalid value: "stable": should be a domain with at least one dot'],
    },
    {
      what: 'of a protected group without approval',
      more: { metadata: { name: 'crontabs.batch.k8s.io' }, spec: { group: 'batch.k8s.io' } },
      says: [
        'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ],
    },
    {
      what: 'of a protected group with approval',
      more: {
        metadata: {
          name: 'crontabs.batch.k8s.io',
          annotations: { 'api-approved.kubernetes.io': 'https://example.com/1' },
        },
        spec: { group: 'batch.k8s.io' },
      },
      says: [],
    },
    {
      what: 'of a group of the server itself',
      more: { metadata: { name: 'crontabs.internal.gatehouse.dev' }, spec: { group: 'internal.gatehouse.dev' } },
      says: ['spec.group: Invalid value: "internal.gatehouse.dev": is reserved for the server itself'],
    },
    {
      what: 'of an unknown scope',
      more: { spec: { scope: 'Galaxy' } },
      says: ['spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'],
    },
    {
      what: 'with a short name in capitals',
      more: { names: { shortNames: ['CT'] } },
      says: [`spec.names.shortNames[0]: Invalid value: "CT": ${label}`],
    },
    {
      what: 'whose list is of its own kind',
      more: { names: { listKind: 'CronTab' } },
      says: ['spec.names.listKind: Invalid value: "CronTab": kind and listKind may not be the same'],
    },
    {
      what: 'without a version for storage',
      more: { version: { storage: false } },
      says: ['spec.versions: Invalid value: ["v1"]: must have exactly one version marked as storage version'],
    },
    {
      what: 'with two versions of one name',
      more: { spec: { versions: [version({}), version({ storage: false })] } },
      says: ['spec.versions: Invalid value: ["v1","v1"]: must contain unique version names'],
    },
    {
      what: 'without a schema',
      more: { version: { schema: undefined } },
      says: ['spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required'],
    },
    {
      what: 'that keeps unknown fields everywhere, as of old',
      more: { spec: { preserveUnknownFields: true } },
      says: ['spec.preserveUnknownFields: Invalid value: true: must be false'],
    },
    {
      what: 'with a column of no known type',
      more: { version: { additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: '.spec.a' }] } },
      says: [
        'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
      ],
    },
    {
      what: 'with a column that begins nowhere',
      more: { version: { additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: 'spec.a' }] } },
      says: [
        'spec.versions[0].additionalPrinterColumns[0].jsonPath: Invalid value: "spec.a": must be a simple json path starting with .',
      ],
    },
    {
      what: 'scaled by what is not in its spec',
      more: {
        version: { subresources: { scale: { specReplicasPath: '.status.a', statusReplicasPath: '.status.replicas' } } },
      },
      says: [
        'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".status.a": should be a json path under .spec',
      ],
    },
    {
      what: 'selected by a field that is not there',
      more: { version: { selectableFields: [{ jsonPath: '.spec.nothing' }] } },
      says: [
        'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".spec.nothing": is an invalid path: does not refer to a valid field',
      ],
    },
    {
      what: 'converted by a webhook that is not there',
      more: { spec: { conversion: { strategy: 'Webhook' } } },
      says: ['spec.conversion.webhook: Required value: required when strategy is set to Webhook'],
    },
    {
      what: 'converted over plain HTTP',
      more: {
        spec: {
          conversion: {
            strategy: 'Webhook',
            webhook: { clientConfig: { url: 'http://example.com' }, conversionReviewVersions: ['v1'] },
          },
        },
      },
      says: [
        `spec.conversion.webhook.clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
      ],
    },
  ])('$what says $says', ({ more, says }) => {
    expect(said(cronTab(more))).toEqual(says);
  });
});

describe('a schema', () => {
  const at = 'spec.versions[0].schema.openAPIV3Schema.properties[spec]';
  const field = `${at}.properties[a]`;
  test.for<{ readonly what: string; readonly a: object; readonly says: readonly string[] }>([
    {
      what: 'without a type',
      a: {},
      says: [`${field}.type: Required value: must not be empty for specified object fields`],
    },
    {
      what: 'of an unknown type',
      a: { type: 'text' },
      says: [
        `${field}.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"`,
      ],
    },
    {
      what: 'of type null',
      a: { type: 'null' },
      says: [`${field}.type: Forbidden: type cannot be set to null, use nullable as an alternative`],
    },
    {
      what: 'of a list without items',
      a: { type: 'array' },
      says: [`${field}.items: Required value: must be specified`],
    },
    {
      what: 'of a list with items of no type',
      a: { type: 'array', items: {} },
      says: [`${field}.items.type: Required value: must not be empty for specified array items`],
    },
    {
      what: 'with a reference',
      a: { type: 'string', $ref: '#/x' },
      says: [`${field}.$ref: Forbidden: $ref is not supported`],
    },
    {
      what: 'with unique items',
      a: { type: 'array', items: { type: 'string' }, uniqueItems: true },
      says: [
        `${field}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
      ],
    },
    {
      what: 'that forbids further properties',
      a: { type: 'object', additionalProperties: false },
      says: [`${field}.additionalProperties: Forbidden: additionalProperties cannot be set to false`],
    },
    {
      what: 'of a struct that is a map too',
      a: { type: 'object', properties: { b: { type: 'string' } }, additionalProperties: { type: 'string' } },
      says: [`${field}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`],
    },
    {
      what: 'with a type inside of anyOf',
      a: { type: 'string', anyOf: [{ type: 'string' }] },
      says: [`${field}.anyOf[0].type: Forbidden: must be empty to be structural`],
    },
    {
      what: 'that is int or string, and says so by types',
      a: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      says: [],
    },
    {
      what: 'that requires inside of allOf what is not declared',
      a: { type: 'object', allOf: [{ properties: { b: { minLength: 1 } } }] },
      says: [`${field}.properties[b]: Required value: because it is defined in ${field}.allOf[0].properties[b]`],
    },
    {
      what: 'with a pattern that RE2 does not have',
      a: { type: 'string', pattern: '(?=a)b' },
      says: [
        `${field}.pattern: Invalid value: "(?=a)b": must be a valid regular expression, but isn't: error parsing regexp: invalid or unsupported Perl syntax: \`(?=\``,
      ],
    },
    {
      what: 'of a list of type map without keys',
      a: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } },
      says: [`${field}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`],
    },
    {
      what: 'of a list whose key may be missing',
      a: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' } } },
      },
      says: [
        `${field}.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
      ],
    },
    {
      what: 'of a set of structs',
      a: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object' } },
      says: [
        `${field}.items.x-kubernetes-map-type: Required value: must be atomic as item of a list with x-kubernetes-list-type=set`,
      ],
    },
    {
      what: 'with a default of another type',
      a: { type: 'integer', default: 'x' },
      says: [`${field}.default: Invalid value: "string": default in body must be of type integer: "string"`],
    },
    {
      what: 'with a default that has unknown fields',
      a: { type: 'object', default: { x: 1 } },
      says: [`${field}.default: Invalid value: {"x":1}: must not have unknown fields`],
    },
    {
      what: 'with a default in bounds',
      a: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 1 } } },
      says: [],
    },
    {
      what: 'of an embedded object of no type',
      a: { 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      says: [`${field}.type: Required value: must be object if x-kubernetes-embedded-resource is true`],
    },
  ])('$what says so', ({ a, says }) => {
    expect(said(cronTab({ schema: schemaOf({ type: 'object', properties: { a } }) }))).toEqual(says);
  });

  test('may restrict the name of its objects, and no other metadata', () => {
    const root = (metadata: object): object => ({ type: 'object', properties: { metadata } });
    const named = root({ type: 'object', properties: { name: { type: 'string', maxLength: 5 } } });
    expect(said(cronTab({ schema: named as never }))).toEqual([]);
    const labelled = root({ type: 'object', properties: { labels: { type: 'object' } } });
    expect(said(cronTab({ schema: labelled as never }))).toEqual([
      'spec.versions[0].schema.openAPIV3Schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
    ]);
  });

  test('has no junctors at its root when the status is apart', () => {
    const schema = schemaOf({ type: 'object' }, { anyOf: [{ required: ['spec'] }] });
    expect(said(cronTab({ schema, version: { subresources: { status: {} } } }))[0]).toContain(
      'fields are allowed at the root of the schema if the status subresource is enabled',
    );
  });

  test('with more patterns than anybody compiles in time is refused before they are', () => {
    const property = (index: number): object => ({ type: 'string', pattern: `(?:[a-z${index}]?){1000}` });
    const properties = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`p${index}`, property(index)]));
    expect(said(cronTab({ schema: schemaOf({ type: 'object', properties }) }))).toEqual([
      'spec.versions: Invalid value: "": the patterns of the schemas are too large together',
    ]);
  });

  test('whose defaults multiply is refused in no time', () => {
    let items: object = { type: 'string', default: 'x' };
    for (let level = 0; level < 12; level++) {
      const list = { type: 'array', items, default: Array.from({ length: 20 }, () => (level === 0 ? 'x' : {})) };
      items = { type: 'object', default: {}, properties: { list } };
    }
    const causes = said(cronTab({ schema: schemaOf({ type: 'object', properties: { a: items } }) }));
    expect(causes[0]).toMatch(/comes to more than 10000 values/);
  });
});
