import { describe, expect, test } from 'vitest';
import type { FieldSet } from '../../../../src/core/resources/apply/field-set.ts';
import {
  difference,
  holds,
  inside,
  intersection,
  outside,
  pathsOf,
  readSet,
  setOf,
  union,
} from '../../../../src/core/resources/apply/field-set.ts';
import { pathText } from '../../../../src/core/resources/apply/path-element.ts';

const x = setOf('f:x');
const xa = setOf('f:x', 'f:a');
const xb = setOf('f:x', 'f:b');

describe('algebra', () => {
  test.for<{ guarantees: string; made: FieldSet; is: object }>([
    { guarantees: 'a union has the members of both', made: union(xa, xb), is: { 'f:x': { 'f:a': {}, 'f:b': {} } } },
    {
      guarantees: 'a member stays one when parts are added',
      made: union(x, xa),
      is: { 'f:x': { '.': {}, 'f:a': {} } },
    },
    { guarantees: 'parts stay when their whole is added', made: union(xa, x), is: { 'f:x': { '.': {}, 'f:a': {} } } },
    {
      guarantees: 'a difference takes members away',
      made: difference(union(xa, xb), xa),
      is: { 'f:x': { 'f:b': {} } },
    },
    { guarantees: 'a difference leaves the parts of what it takes', made: difference(union(x, xa), x), is: xa },
    { guarantees: 'a difference leaves the whole of the parts it takes', made: difference(union(x, xa), xa), is: x },
    { guarantees: 'a difference leaves a whole that it names only parts of', made: difference(x, xa), is: x },
    { guarantees: 'nothing is left of a set without itself', made: difference(union(x, xa), union(x, xa)), is: {} },
    { guarantees: 'outside takes the parts along', made: outside(union(x, xa), x), is: {} },
    { guarantees: 'outside leaves what stands beside', made: outside(union(xa, xb), xa), is: xb },
    {
      guarantees: 'inside keeps a member with its parts',
      made: inside(union(union(x, xa), setOf('f:y')), x),
      is: union(x, xa),
    },
    { guarantees: 'an intersection has what is in both', made: intersection(union(xa, xb), union(x, xb)), is: xb },
    { guarantees: 'a whole and its part have nothing in common', made: intersection(x, xa), is: {} },
  ])('$guarantees', ({ made, is }) => {
    expect(made).toEqual(is);
  });

  test('what changes nothing gives back the same value, so that objects share it', () => {
    const both = union(xa, xb);
    expect(union(both, xa)).toBe(both);
    expect(difference(both, setOf('f:y'))).toBe(both);
    expect(difference(both, setOf('f:x', 'f:c'))).toBe(both);
  });

  test('a path is a member by itself, not by its parts', () => {
    expect(holds(xa, ['f:x'])).toBe(false);
    expect(holds(union(x, xa), ['f:x'])).toBe(true);
    expect(holds(xa, ['f:x', 'f:a'])).toBe(true);
  });
});

describe('the wire form', () => {
  test('paths are spelled as messages spell them', () => {
    const set: FieldSet = {
      'f:spec': {
        'f:finalizers': { 'v:"a"': {} },
        'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:name': {} } },
        'f:list': { 'i:3': {} },
      },
    };
    expect([...pathsOf(set)].map(pathText)).toEqual([
      '.spec.finalizers[="a"]',
      '.spec.list[3]',
      '.spec.ports[containerPort=80,protocol="TCP"]',
      '.spec.ports[containerPort=80,protocol="TCP"].name',
    ]);
  });

  test.for<{ guarantees: string; sent: unknown; is: object | undefined }>([
    { guarantees: 'keys take one spelling', sent: { 'k:{ "b": 1, "a": "x" }': {} }, is: { 'k:{"a":"x","b":1}': {} } },
    { guarantees: 'elements of kinds to come are left out', sent: { 'z:new': {}, 'f:a': {} }, is: { 'f:a': {} } },
    { guarantees: 'the root is no member', sent: { '.': {}, 'f:a': {} }, is: { 'f:a': {} } },
    { guarantees: 'text is no set', sent: 'f:a', is: undefined },
    { guarantees: 'a key that does not parse spoils the set', sent: { 'k:{': {} }, is: undefined },
    { guarantees: 'a value that does not parse spoils the set', sent: { 'v:{': {} }, is: undefined },
    { guarantees: 'an index has to be one', sent: { 'i:x': {} }, is: undefined },
    { guarantees: 'a node has to be an object', sent: { 'f:a': [] }, is: undefined },
    { guarantees: 'a set nests no deeper than an object', sent: deep(300), is: undefined },
  ])('$guarantees', ({ sent, is }) => {
    expect(readSet(sent)).toEqual(is);
  });
});

function deep(levels: number): FieldSet {
  return setOf(...Array.from({ length: levels }, () => 'f:a'));
}
