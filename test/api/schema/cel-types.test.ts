import { describe, expect, test } from 'vitest';
import { celTypeOf } from '../../../src/api/schema/cel-types.ts';
import { servedTypes, schemaOf } from '../../../src/api/schema/kinds.ts';
import { compile } from '../../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../../src/cel/kubernetes.ts';
import { formatType } from '../../../src/cel/types.ts';

function checked(apiVersion: string, kind: string, source: string): string {
  const schema = schemaOf(apiVersion, kind);
  if (schema === undefined) throw new Error(`no ${kind}`);
  const made = compile(source, kubernetesEnvironment({ object: celTypeOf(schema) }));
  return 'issues' in made ? (made.issues[0]?.message ?? '') : formatType(made.compiled.outputType);
}

describe('an expression about a built-in kind is checked by the types of its fields', () => {
  test.for<[string, string, string, string]>([
    ['apps/v1', 'Deployment', 'object.spec.replicas', 'int'],
    ['apps/v1', 'Deployment', 'object.spec.template.spec.containers.map(c, c.image)', 'list(string)'],
    ['apps/v1', 'Deployment', 'object.metadata.labels', 'map(string, string)'],
    ['apps/v1', 'Deployment', 'object.metadata.creationTimestamp', 'timestamp'],
    ['apps/v1', 'Deployment', 'object.metadata.__namespace__', 'string'],
    ['apps/v1', 'Deployment', 'object.spec.strategy.rollingUpdate.maxSurge', 'dyn'],
    ['v1', 'Pod', "quantity(object.spec.containers[0].resources.limits['cpu']).isLessThan(quantity('2'))", 'bool'],
    ['v1', 'Secret', 'object.data', 'map(string, bytes)'],
    ['apps/v1', 'Deployment', 'object.spec.replica', "undefined field 'replica'"],
    [
      'apps/v1',
      'Deployment',
      "object.spec.replicas + 'a'",
      "found no matching overload for '_+_' applied to '(int, string)'",
    ],
    [
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      'object.spec.versions[0].schema.openAPIV3Schema.properties["a"].properties["b"].type',
      'string',
    ],
  ])('%s %s: %s', ([apiVersion, kind, source, expected]) => {
    expect(checked(apiVersion, kind, source)).toBe(expected);
  });

  test('every served kind has a type', () => {
    for (const { schema } of servedTypes()) expect(celTypeOf(schema).kind).toBe('object');
  });
});
