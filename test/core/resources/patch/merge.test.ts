import { expect, test } from 'vitest';
import { mergePatch } from '../../../../src/core/resources/patch/merge.ts';

// The rows of RFC 7386, appendix A, whose target and patch are objects.
test.for([
  { target: { a: 'b' }, patch: { a: 'c' }, gives: { a: 'c' } },
  { target: { a: 'b' }, patch: { b: 'c' }, gives: { a: 'b', b: 'c' } },
  { target: { a: 'b' }, patch: { a: null }, gives: {} },
  { target: { a: 'b', b: 'c' }, patch: { a: null }, gives: { b: 'c' } },
  { target: { a: ['b'] }, patch: { a: 'c' }, gives: { a: 'c' } },
  { target: { a: { b: 'c' } }, patch: { a: { b: 'd', c: null } }, gives: { a: { b: 'd' } } },
  { target: { a: [{ b: 'c' }] }, patch: { a: [1] }, gives: { a: [1] } },
  { target: { e: null }, patch: { a: 1 }, gives: { e: null, a: 1 } },
  { target: {}, patch: { a: { bb: { ccc: null } } }, gives: { a: { bb: {} } } },
])('$target with $patch is $gives', ({ target, patch, gives }) => {
  expect(mergePatch(target, patch)).toEqual(gives);
});
