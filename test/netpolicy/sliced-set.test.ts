import { expect, test } from 'vitest';
import { maxSliceMembers } from '../../src/netpolicy/allow-list.ts';
import { SlicedSet } from '../../src/netpolicy/sliced-set.ts';
import { seeded } from './support/world.ts';

const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;

test('no slice holds more than its limit, and a member that comes rewrites one', () => {
  const set = new SlicedSet<string>('p');
  for (let i = 0; i < 20_000; i++) set.add(address(i), address(i));
  const sizes = [...set.takeChanges().values()].map((members) => members?.length ?? 0);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(maxSliceMembers);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(20_000);
  set.add('192.0.2.1', '192.0.2.1');
  expect(set.takeChanges().size).toBe(1);
});

test('the slices follow from the members, whatever way they came about', () => {
  const random = seeded(11);
  const wandering = new SlicedSet<string>('p');
  const held = new Set<string>();
  const slices = new Map<string, readonly string[]>();
  for (let i = 0; i < 30_000; i++) {
    const one = address(random(6000));
    if (held.delete(one)) wandering.remove(one);
    else {
      held.add(one);
      wandering.add(one, one);
    }
    if (i % 997 !== 0) continue;
    for (const [name, members] of wandering.takeChanges()) {
      if (members === undefined) slices.delete(name);
      else slices.set(name, members);
    }
    const fresh = new SlicedSet<string>('p');
    for (const member of held) fresh.add(member, member);
    expect(slices).toEqual(new Map([...fresh.takeChanges()].filter(([, members]) => members !== undefined)));
  }
});

test('a member that two hold stays until both are gone', () => {
  const set = new SlicedSet<string>('p');
  set.add('10.0.0.1', '10.0.0.1');
  set.add('10.0.0.1', '10.0.0.1');
  set.remove('10.0.0.1');
  expect(set.takeChanges()).toEqual(new Map([['p', ['10.0.0.1']]]));
  set.remove('10.0.0.1');
  expect(set.takeChanges()).toEqual(new Map([['p', undefined]]));
});
