import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBody, isDecodable } from '../../../src/api/schema/decode.ts';
import type { Decoded, Expected, FieldValidation } from '../../../src/api/schema/decode.ts';
import { schemaOf } from '../../../src/api/schema/kinds.ts';
import { parseApiVersion } from '../../../src/api/meta.ts';
import { StatusError } from '../../../src/api/status.ts';

function kind(apiVersion: string, name: string): Expected {
  const schema = schemaOf(apiVersion, name);
  if (schema === undefined) throw new Error(`no schema for ${name}`);
  return { ...parseApiVersion(apiVersion), kind: name, schema };
}
const pod = kind('v1', 'Pod');
const deployment = kind('apps/v1', 'Deployment');

const decode = (of: Expected, text: string, how: FieldValidation = 'Strict', type = 'application/json'): Decoded =>
  decodeBody(of, Buffer.from(text), type, how);

describe('fields that are unknown or given twice', () => {
  const body =
    '{"spec":{"foo":1,"containers":[{"name":"a","bar":{"x":1},"image":"i","image":"j"}],"nodeName":"a","nodeName":"b"}}';
  const fields = [
    'unknown field "spec.foo"',
    'unknown field "spec.containers[0].bar"',
    'duplicate field "spec.containers[0].image"',
    'duplicate field "spec.nodeName"',
  ];

  test('are all named, and refused, under Strict', () => {
    expect(() => decode(pod, body)).toThrow(
      `Pod in version "v1" cannot be handled as a Pod: strict decoding error: ${fields.join(', ')}`,
    );
  });

  test('are dropped with one warning each under Warn, and silently under Ignore; the last of two counts', () => {
    const { object, warnings } = decode(pod, body, 'Warn');
    expect(warnings).toEqual(fields);
    expect(object['spec']).toEqual({ containers: [{ name: 'a', image: 'j', resources: {} }], nodeName: 'b' });
    expect(decode(pod, body, 'Ignore')).toEqual({ object, warnings: [] });
  });

  test('are found in YAML too', () => {
    const yaml = 'spec:\n  foo: 1\n  nodeName: a\n  nodeName: b\n  containers: []\n';
    expect(() => decode(pod, yaml, 'Strict', 'application/yaml')).toThrow(
      'strict decoding error: unknown field "spec.foo", duplicate field "spec.nodeName"',
    );
  });

  test('an escaped spelling of a key is the same key, and keys inside text are none', () => {
    expect(() => decode(pod, '{"spec":{"node\\u004eame":"a","nodeName":"b","containers":[]}}')).toThrow('duplicate');
    expect(decode(pod, '{"metadata":{"annotations":{"a":"{\\"b\\":1,\\"b\\":2}"}}}').warnings).toEqual([]);
    expect(decode(pod, '{"metadata":{"labels":{"a":"a","b":"a"},"name":"a"}}').warnings).toEqual([]);
  });

  test('names that every JavaScript object has are unknown fields like any other', () => {
    expect(() => decode(pod, '{"spec":{"__proto__":{},"constructor":1,"containers":[]}}')).toThrow(
      'unknown field "spec.__proto__", unknown field "spec.constructor"',
    );
    const { object } = decode(pod, '{"metadata":{"labels":{"__proto__":"x"}}}');
    expect(JSON.stringify(object['metadata'])).toBe('{"labels":{"__proto__":"x"}}');
  });
});

describe('a value of the wrong type is refused with its field', () => {
  test.for<[string, string]>([
    [
      '{"spec":{"replicas":"3"}}',
      'cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    ['{"spec":{"replicas":1.5}}', 'number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
    ['{"spec":{"replicas":3000000000}}', 'DeploymentSpec.spec.replicas of type int32'],
    [
      '{"spec":{"paused":"yes"}}',
      'cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool',
    ],
    [
      '{"spec":{"template":{"spec":{"containers":"x"}}}}',
      'PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    [
      '{"spec":{"template":{"spec":{"containers":[1]}}}}',
      'PodSpec.spec.template.spec.containers[0] of type v1.Container',
    ],
    [
      '{"spec":{"template":{"spec":{"nodeSelector":{"a":1}}}}}',
      'PodSpec.spec.template.spec.nodeSelector.a of type string',
    ],
    [
      '{"spec":{"template":[]}}',
      'cannot unmarshal array into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec',
    ],
    ['{"metadata":{"creationTimestamp":"yesterday"}}', 'parsing time "yesterday"'],
    ['{"spec":{"template":{"spec":{"overhead":{"cpu":"a lot"}}}}}', 'quantities must match the regular expression'],
    ['[]', 'cannot unmarshal array into Go value of type v1.Deployment'],
    ['null', 'cannot unmarshal object into Go value of type v1.Deployment'],
  ])('%s', ([body, why]) => {
    expect(() => decode(deployment, body)).toThrow(
      expect.objectContaining({ reason: 'BadRequest', message: expect.stringContaining(why) as string }),
    );
    expect(() => decode(deployment, body)).toThrow('Deployment in version "v1" cannot be handled as a Deployment: ');
  });

  test('base64 is checked, and broken lines in it are joined', () => {
    const secret = kind('v1', 'Secret');
    expect(decode(secret, '{"data":{"a":"YWRt\\nYW4="}}').object['data']).toEqual({ a: 'YWRtYW4=' });
    expect(() => decode(secret, '{"data":{"a":"YW*t"}}')).toThrow('illegal base64 data at input byte 2 (data.a)');
  });
});

describe('the form that comes out', () => {
  test('zero values are left out, structs are there, amounts and times have one spelling', () => {
    const { object } = decode(
      deployment,
      JSON.stringify({
        metadata: { name: 'a', creationTimestamp: null, labels: {}, deletionTimestamp: '2026-01-01T01:00:00+01:00' },
        spec: {
          replicas: 0,
          minReadySeconds: 0,
          paused: false,
          template: {
            spec: {
              hostNetwork: false,
              securityContext: {},
              containers: [{ name: 'c', command: [], resources: { limits: { cpu: 0.5, memory: '1024Mi' } } }],
              volumes: [{ name: 'v', emptyDir: {} }],
            },
          },
        },
      }),
    );
    expect(object).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' },
      spec: {
        replicas: 0,
        strategy: {},
        template: {
          metadata: {},
          spec: {
            securityContext: {},
            containers: [{ name: 'c', resources: { limits: { cpu: '500m', memory: '1Gi' } } }],
            volumes: [{ name: 'v', emptyDir: {} }],
          },
        },
      },
      status: {},
    });
  });

  test('microtimes keep six digits', () => {
    const { object } = decode(
      kind('coordination.k8s.io/v1', 'Lease'),
      '{"spec":{"renewTime":"2026-01-01T00:00:00.5Z"}}',
    );
    expect(object['spec']).toEqual({ renewTime: '2026-01-01T00:00:00.500000Z' });
  });
});

describe('a body of another kind or shape is refused', () => {
  test.for<[string, string]>([
    [
      '{"apiVersion":"apps/v1","kind":"Pod"}',
      'the API version in the data (apps/v1) does not match the expected API version (v1)',
    ],
    ['{"apiVersion":"v1","kind":"Secret"}', 'Secret in version "v1" cannot be handled as a Pod'],
    ['{"apiVersion":1}', 'apiVersion and kind have to be strings'],
    ['{', 'the object provided is unrecognized (must be of type Pod)'],
    ['', 'the object provided is unrecognized (must be of type Pod)'],
    [`{"spec":${'['.repeat(1000)}`, 'nests deeper than 256'],
  ])('%s', ([body, why]) => {
    expect(() => decode(pod, body)).toThrow(expect.objectContaining({ reason: 'BadRequest' }));
    expect(() => decode(pod, body)).toThrow(why);
  });

  test('DeleteOptions may say any version', () => {
    const options = kind('v1', 'DeleteOptions');
    const body = '{"kind":"DeleteOptions","apiVersion":"apps/v1","propagationPolicy":"Orphan"}';
    expect(decode(options, body).object['propagationPolicy']).toBe('Orphan');
  });

  test('media types nobody can read are named', () => {
    expect(isDecodable('application/yaml')).toBe(true);
    expect(() => decode(pod, '{}', 'Strict', 'text/csv')).toThrow(
      expect.objectContaining({ reason: 'UnsupportedMediaType' }),
    );
  });

  test('YAML that multiplies itself by aliases is refused', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdef'[i]}`).join(',')}]`),
    ];
    expect(() => decode(pod, bomb.join('\n'), 'Ignore', 'application/yaml')).toThrow('excessive aliasing');
    expect(() => decode(pod, `a: ${'['.repeat(100_000)}`, 'Ignore', 'application/yaml')).toThrow(
      expect.objectContaining({ reason: 'BadRequest' }),
    );
  });
});

interface Capture {
  readonly path: string;
  readonly body: string;
  readonly object: { readonly apiVersion: string; readonly kind: string };
}

// Bodies that kubectl 1.32 sent, and what they say.
const captures = JSON.parse(
  readFileSync(new URL('../fixtures/kubectl-protobuf.json', import.meta.url), 'utf8'),
) as readonly Capture[];

describe('protobuf as kubectl sends it', () => {
  test.for(captures)('POST $path', ({ body, object }) => {
    const of = kind(object.apiVersion, object.kind);
    const decoded = decodeBody(of, Buffer.from(body, 'base64'), 'application/vnd.kubernetes.protobuf', 'Strict');
    expect(decoded.object).toEqual(object);
  });

  test('cut or garbled bodies are refused or read, and never fail otherwise', () => {
    const failures: unknown[] = [];
    for (const { body, object } of captures) {
      const whole = Buffer.from(body, 'base64');
      for (let cut = 0; cut < whole.length; cut += 7) {
        const garbled = Buffer.from(whole);
        garbled[cut] = 0xff;
        for (const bytes of [whole.subarray(0, cut), garbled]) {
          try {
            decodeBody(kind(object.apiVersion, object.kind), bytes, 'application/vnd.kubernetes.protobuf', 'Strict');
          } catch (error) {
            failures.push(error);
          }
        }
      }
    }
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.filter((error) => !(error instanceof StatusError && error.reason === 'BadRequest'))).toEqual([]);
  });
});
