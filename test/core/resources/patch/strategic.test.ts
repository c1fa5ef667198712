import { describe, expect, test } from 'vitest';
import { outcome } from '../../../support/outcome.ts';
import type { MergeShape } from '../../../../src/core/resources/patch/strategic.ts';
import { strategicPatch } from '../../../../src/core/resources/patch/strategic.ts';

const shape = (
  fields: Readonly<Record<string, Partial<MergeShape>>> = {},
  more: Partial<MergeShape> = {},
): MergeShape => ({
  field: (name) => {
    const found = fields[name];
    return found === undefined ? undefined : { ...shape(), ...found };
  },
  items: undefined,
  mergeKey: undefined,
  merges: false,
  replaces: false,
  ...more,
});

const env = shape({}, { merges: true, mergeKey: 'name', items: shape() });
const container = shape({ env, ports: shape({}, { merges: true, mergeKey: 'containerPort', items: shape() }) });
const pod = shape({
  containers: shape({}, { merges: true, mergeKey: 'name', items: container }),
  metadata: shape({ finalizers: shape({}, { merges: true }) }),
  strategy: shape(),
  selector: shape({}, { replaces: true }),
});

const two = {
  containers: [
    {
      name: 'a',
      image: 'a:1',
      env: [
        { name: 'X', value: '1' },
        { name: 'Y', value: '1' },
      ],
    },
    { name: 'b' },
  ],
};

const refused = (message: string): unknown => expect.stringContaining(message);

describe('strategic merge patch', () => {
  test.for([
    {
      guarantees: 'lists merge by their key',
      patch: { containers: [{ name: 'a', image: 'a:2' }, { name: 'c' }] },
      gives: { containers: [{ ...two.containers[0], image: 'a:2' }, { name: 'c' }, { name: 'b' }] },
    },
    {
      guarantees: 'what is new to a list comes before what only the server has, as the patch alone gives an order',
      patch: { containers: [{ name: 'c' }, { name: 'b', image: 'b:2' }] },
      gives: { containers: [{ name: 'c' }, two.containers[0], { name: 'b', image: 'b:2' }] },
    },
    {
      guarantees: 'so do scalars',
      original: { metadata: { finalizers: ['s', 'a'] } },
      patch: { metadata: { finalizers: ['new', 'a'] } },
      gives: { metadata: { finalizers: ['new', 's', 'a'] } },
    },
    {
      guarantees: 'an element is deleted by its key',
      patch: { containers: [{ name: 'b', $patch: 'delete' }] },
      gives: { containers: [two.containers[0]] },
    },
    {
      guarantees: 'a list is replaced',
      patch: { containers: [{ $patch: 'replace' }, { name: 'only' }] },
      gives: { containers: [{ name: 'only' }] },
    },
    {
      guarantees: 'null removes a field of an element',
      patch: { containers: [{ name: 'a', env: null }] },
      gives: { containers: [{ name: 'a', image: 'a:1' }, { name: 'b' }] },
    },
    {
      guarantees: 'a list without merge strategy is replaced',
      original: { args: ['x'] },
      patch: { args: ['y'] },
      gives: { args: ['y'] },
    },
    {
      guarantees: 'scalars of a merging list are added once',
      original: { metadata: { finalizers: ['a'] } },
      patch: { metadata: { finalizers: ['a', 'b'] } },
      gives: { metadata: { finalizers: ['a', 'b'] } },
    },
    {
      guarantees: '$deleteFromPrimitiveList takes values out',
      original: { metadata: { finalizers: ['a', 'b'] } },
      patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      gives: { metadata: { finalizers: ['b'] } },
    },
    {
      guarantees: '$retainKeys drops the rest',
      original: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
      patch: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
      gives: { strategy: { type: 'Recreate' } },
    },
    {
      guarantees: '$retainKeys has to name what the patch sets',
      original: { strategy: {} },
      patch: { strategy: { $retainKeys: ['type'], other: 1 } },
      gives: refused('does not contain other'),
    },
    {
      guarantees: '$patch: replace on an object',
      original: { strategy: { a: 1 } },
      patch: { strategy: { $patch: 'replace', b: 2 } },
      gives: { strategy: { b: 2 } },
    },
    {
      guarantees: '$patch: delete on an object empties it',
      original: { strategy: { a: 1 } },
      patch: { strategy: { $patch: 'delete' } },
      gives: { strategy: {} },
    },
    {
      guarantees: 'an object whose strategy is replace is taken whole',
      original: { selector: { a: '1' } },
      patch: { selector: { b: '2' } },
      gives: { selector: { b: '2' } },
    },
    {
      guarantees: 'an element without its merge key is refused',
      patch: { containers: [{ image: 'x' }] },
      gives: refused('merge key: name'),
    },
    {
      guarantees: 'an unknown directive is refused',
      patch: { $patch: 'shuffle' },
      gives: refused('unknown patch type'),
    },
    {
      guarantees: 'directives and nulls do not end up in new content',
      original: {},
      patch: { strategy: { a: null, $retainKeys: ['b'], b: { c: null } } },
      gives: { strategy: { b: {} } },
    },
    // As kubectl v1.32 sends it for `kubectl set env` and for a second `kubectl apply`.
    {
      guarantees: "kubectl's body for one added variable keeps the order it asks for",
      patch: {
        '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }],
        containers: [
          {
            name: 'a',
            '$setElementOrder/env': [{ name: 'Z' }, { name: 'Y' }, { name: 'X' }],
            env: [{ name: 'Z', value: '1' }],
          },
        ],
      },
      gives: {
        containers: [
          {
            name: 'a',
            image: 'a:1',
            env: [
              { name: 'Z', value: '1' },
              { name: 'Y', value: '1' },
              { name: 'X', value: '1' },
            ],
          },
          { name: 'b' },
        ],
      },
    },
    {
      guarantees: 'an order alone reorders',
      patch: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
      gives: { containers: [{ name: 'b' }, two.containers[0]] },
    },
    {
      guarantees: 'what only the server has keeps its place',
      original: { metadata: { finalizers: ['s1', 'a', 's2', 'b'] } },
      patch: { metadata: { '$setElementOrder/finalizers': ['a', 'b', 'c'], finalizers: ['c'] } },
      gives: { metadata: { finalizers: ['s1', 'a', 's2', 'b', 'c'] } },
    },
    {
      guarantees: 'an order that lacks a patched element is refused',
      patch: { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'z' }] },
      gives: refused('does not match'),
    },
  ])('$guarantees', ({ original, patch, gives }) => {
    const apply = (): unknown => strategicPatch(original ?? two, patch, pod);
    expect(outcome(apply)).toEqual(gives);
  });
});
