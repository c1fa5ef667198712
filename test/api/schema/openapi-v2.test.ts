import { describe, expect, test } from 'vitest';
import { servedTypes } from '../../../src/api/schema/kinds.ts';
import { openApiV2, openApiV2Protobuf } from '../../../src/api/schema/openapi-v2.ts';
import { openApiDocuments } from '../../../src/api/schema/openapi.ts';
import { Reader } from '../../../src/api/schema/protobuf-wire.ts';

type Tree = { readonly [key: string]: Tree };

const document = openApiV2(openApiDocuments(servedTypes()));
const definitions = (document as Tree)['definitions'] ?? {};

describe('the v2 document', () => {
  test('leads nowhere outside itself', () => {
    const names = [...JSON.stringify(document).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)].map(
      (one) => one[1] ?? '',
    );
    expect(names.filter((name) => !Object.hasOwn(definitions, name))).toEqual([]);
    expect(names.length).toBeGreaterThan(500);
  });

  test('has no words that only v3 knows', () => {
    expect(JSON.stringify(document)).not.toMatch(/"(?:oneOf|allOf|anyOf)":\[|#\/components/);
  });

  test('keeps the merge keys beside a reference, and says which kind a schema is', () => {
    expect(definitions['io.k8s.api.core.v1.PodSpec']?.['properties']?.['containers']).toMatchObject({
      'x-kubernetes-patch-merge-key': 'name',
      items: { $ref: '#/definitions/io.k8s.api.core.v1.Container' },
    });
    expect(definitions['io.k8s.api.apps.v1.DeploymentSpec']?.['properties']?.['strategy']).toMatchObject({
      $ref: '#/definitions/io.k8s.api.apps.v1.DeploymentStrategy',
      'x-kubernetes-patch-strategy': 'retainKeys',
    });
    expect(definitions['io.k8s.api.apps.v1.Deployment']?.['x-kubernetes-group-version-kind']).toEqual([
      { group: 'apps', version: 'v1', kind: 'Deployment' },
    ]);
  });

  test('takes an amount as text', () => {
    expect(definitions['io.k8s.apimachinery.pkg.api.resource.Quantity']).toMatchObject({ type: 'string' });
  });
});

describe('its protobuf form', () => {
  const bytes = openApiV2Protobuf(document);

  test('begins with the version and names every definition once', () => {
    expect(textIn(bytes, 1)).toBe('2.0');
    const names = parts(partIn(bytes, 9), 1).map((one) => textIn(one, 1));
    expect(names).toEqual(Object.keys(definitions));
  });

  test('carries properties, types, requirements and extensions of a definition', () => {
    const pod = parts(partIn(bytes, 9), 1).find((one) => textIn(one, 1) === 'io.k8s.api.core.v1.PodSpec');
    const schema = partIn(pod ?? Buffer.alloc(0), 2);
    expect([textIn(partIn(schema, 22), 1), textIn(schema, 19)]).toEqual(['object', 'containers']);
    const containers = parts(partIn(schema, 25), 1).find((one) => textIn(one, 1) === 'containers');
    const property = partIn(containers ?? Buffer.alloc(0), 2);
    expect(textIn(partIn(partIn(property, 23), 1), 1)).toBe('#/definitions/io.k8s.api.core.v1.Container');
    const extensions = parts(property, 31).map((one) => [textIn(one, 1), textIn(partIn(one, 2), 2)]);
    expect(extensions).toContainEqual(['x-kubernetes-patch-merge-key', '"name"']);
  });
});

/** Every field `number` of the message in `bytes`. */
function parts(bytes: Buffer, number: number): readonly Buffer[] {
  const found: Buffer[] = [];
  const reader = new Reader(bytes);
  while (reader.next()) {
    if (reader.number === number) found.push(reader.bytes());
    else reader.skip();
  }
  return found;
}

function partIn(bytes: Buffer, number: number): Buffer {
  return parts(bytes, number)[0] ?? Buffer.alloc(0);
}

function textIn(bytes: Buffer, number: number): string {
  return partIn(bytes, number).toString();
}
