import { beforeEach, describe, expect, test } from 'vitest';
import { celRules } from '../../../../src/core/resources/custom/cel-rules.ts';
import { cronTab, schemaOf } from '../../../support/definitions.ts';
import { harness, type Harness } from '../harness.ts';

const path = 'stable.example.com/v1/crontabs';
const crds = 'apiextensions.k8s.io/v1/customresourcedefinitions';

let h: Harness;
beforeEach(async () => {
  h = await harness({ rules: celRules });
});

async function define(rules: readonly object[], properties: object = { a: { type: 'integer' } }): Promise<void> {
  const spec = { type: 'object', properties, 'x-kubernetes-validations': rules };
  await h.create(crds, cronTab({ schema: schemaOf(spec) }), {}, '');
}

const tab = (spec: object): object => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name: 'one' },
  spec,
});
const refusal = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'accepted',
    (error: unknown) => error,
  );

describe('a kind with rules in CEL', () => {
  test('accepts what they allow and refuses what they do not, with code 422 and their message', async () => {
    await define([{ rule: 'self.a > 1', message: 'more, please', fieldPath: '.a' }]);
    expect(await h.create(path, tab({ a: 2 }))).toMatchObject({ spec: { a: 2 } });
    expect(await refusal(h.patch(`${path}/one`, 'merge', { spec: { a: 1 } }))).toMatchObject({
      code: 422,
      message: 'CronTab.stable.example.com "one" is invalid: spec.a: Invalid value: "object": more, please',
    });
  });

  test('compares with what was there before', async () => {
    await define([{ rule: 'self.a >= oldSelf.a', message: 'only up' }]);
    await h.create(path, tab({ a: 2 }));
    expect(await refusal(h.patch(`${path}/one`, 'merge', { spec: { a: 1 } }))).toMatchObject({ code: 422 });
    expect(await h.patch(`${path}/one`, 'merge', { spec: { a: 3 } })).toMatchObject({ spec: { a: 3 } });
  });

  test('is refused while a rule does not compile, or could cost too much', async () => {
    expect(await refusal(define([{ rule: 'self.b > 1' }]))).toMatchObject({
      code: 422,
      message: expect.stringContaining("undefined field 'b'") as string,
    });
    const list = { list: { type: 'array', items: { type: 'string' } } };
    expect(await refusal(define([{ rule: 'self.list.all(x, self.list.all(y, x == y))' }], list))).toMatchObject({
      code: 422,
      message: expect.stringContaining('estimated rule cost exceeds budget by factor of more than 100x') as string,
    });
  });
});
