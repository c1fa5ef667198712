import { describe, expect, test } from 'vitest';
import { outcome } from '../../../support/outcome.ts';
import { jsonPatch } from '../../../../src/core/resources/patch/json.ts';

const document = { a: { b: 1, 'x/y': 2, '~': 3 }, list: [1, 2, 3] };

const refused = (message: string): unknown => expect.stringContaining(message);

describe('JSON patch', () => {
  test.for([
    {
      guarantees: 'add puts a member',
      patch: [{ op: 'add', path: '/a/c', value: 4 }],
      gives: { a: { b: 1, 'x/y': 2, '~': 3, c: 4 }, list: [1, 2, 3] },
    },
    {
      guarantees: 'add inserts before an index',
      patch: [{ op: 'add', path: '/list/1', value: 9 }],
      gives: { ...document, list: [1, 9, 2, 3] },
    },
    {
      guarantees: '"-" appends',
      patch: [{ op: 'add', path: '/list/-', value: 9 }],
      gives: { ...document, list: [1, 2, 3, 9] },
    },
    {
      guarantees: 'a pointer escapes slash and tilde',
      patch: [
        { op: 'remove', path: '/a/x~1y' },
        { op: 'remove', path: '/a/~0' },
      ],
      gives: { a: { b: 1 }, list: [1, 2, 3] },
    },
    {
      guarantees: 'replace needs what it replaces',
      patch: [{ op: 'replace', path: '/a/z', value: 1 }],
      gives: refused('missing'),
    },
    {
      guarantees: 'remove takes out of a list',
      patch: [{ op: 'remove', path: '/list/0' }],
      gives: { ...document, list: [2, 3] },
    },
    {
      guarantees: 'remove needs what it removes',
      patch: [{ op: 'remove', path: '/nosuch' }],
      gives: refused('missing'),
    },
    {
      guarantees: 'copy and move',
      patch: [
        { op: 'copy', from: '/a/b', path: '/c' },
        { op: 'move', from: '/list', path: '/l' },
      ],
      gives: { a: document.a, c: 1, l: [1, 2, 3] },
    },
    {
      guarantees: 'a value cannot move into itself',
      patch: [{ op: 'move', from: '/a', path: '/a/b' }],
      gives: refused('into itself'),
    },
    { guarantees: 'a passing test changes nothing', patch: [{ op: 'test', path: '/a/b', value: 1 }], gives: document },
    {
      guarantees: 'a failing test fails the whole patch',
      patch: [
        { op: 'add', path: '/n', value: 1 },
        { op: 'test', path: '/a/b', value: 2 },
      ],
      gives: refused('testing path /a/b'),
    },
    {
      guarantees: 'an index past the end is refused',
      patch: [{ op: 'add', path: '/list/4', value: 1 }],
      gives: refused('no index'),
    },
    {
      guarantees: 'an index has no leading zero',
      patch: [{ op: 'remove', path: '/list/01' }],
      gives: refused('no index'),
    },
    {
      guarantees: '__proto__ is data',
      patch: [
        { op: 'add', path: '/a/__proto__', value: { polluted: true } },
        { op: 'remove', path: '/a/__proto__' },
      ],
      gives: document,
    },
    {
      guarantees: 'an unknown operation is refused',
      patch: [{ op: 'increment', path: '/a' }],
      gives: refused('unknown operation'),
    },
    { guarantees: 'what is no list is refused', patch: { op: 'add' }, gives: refused('list of operations') },
  ])('$guarantees', ({ patch, gives }) => {
    const apply = (): unknown => jsonPatch(document, patch);
    expect(outcome(apply)).toEqual(gives);
    expect(document.list).toEqual([1, 2, 3]);
  });

  test('copies that would grow without end are refused before they are made', () => {
    const doubling = Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/c${index}` }));
    expect(() => jsonPatch({ text: 'x'.repeat(1000) }, doubling)).toThrow('copies of a JSON patch exceed');
  });

  test('more than 10 000 operations are refused', () => {
    const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a/b', value: 1 }));
    expect(() => jsonPatch(document, many)).toThrow('allowed maximum operations');
  });
});
