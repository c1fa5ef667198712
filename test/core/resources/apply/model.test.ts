/**
 * Random histories of appliers and updaters against a naive model that knows single values only: each has a value and
 * owners. Seeded, so that a failure can be run again.
 */
import { describe, expect, test } from 'vitest';
import { conform } from '../../../../src/api/schema/conform.ts';
import type { ObjectSchema, Schema } from '../../../../src/api/schema/form.ts';
import { field, lazyObject } from '../../../../src/api/schema/form.ts';
import { applied } from '../../../../src/core/resources/apply/apply.ts';
import { fieldSetOf } from '../../../../src/core/resources/apply/extract.ts';
import { difference, pathsOf } from '../../../../src/core/resources/apply/field-set.ts';
import { owned } from '../../../../src/core/resources/apply/compare.ts';
import type { Entries } from '../../../../src/core/resources/apply/managers.ts';
import { trackedCreate, trackedUpdate } from '../../../../src/core/resources/apply/tracking.ts';
import type { Fields } from '../../../../src/std/value.ts';
import { isFields, listOf, textOf } from '../../../../src/std/value.ts';

const struct = (fields: Readonly<Record<string, Schema>>): ObjectSchema =>
  lazyObject({ name: 'T', group: '', atomic: false, open: false }, () => ({
    own: Object.entries(fields).map(([name, schema]) => field(name, schema)),
    embedded: [],
  }));
const string: Schema = { kind: 'string' };
const item = struct({ name: string, x: string, y: string });
const schema = struct({
  metadata: struct({}),
  a: string,
  inner: struct({ b: string, c: string }),
  free: { kind: 'map', values: string, atomic: false },
  whole: { kind: 'map', values: string, atomic: true },
  items: { kind: 'list', items: item, listType: 'map', mapKeys: ['name'] },
  set: { kind: 'list', items: string, listType: 'set', mapKeys: [] },
  list: { kind: 'list', items: string, listType: 'atomic', mapKeys: [] },
});

function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Chance = (below: number) => number;

/** A configuration; `only` keeps the names in it to those that end so. */
function randomConfig(chance: Chance, only = ''): Fields {
  const value = (): string => `v${chance(3)}`;
  const some = <T>(from: readonly T[]): T[] => from.filter(() => chance(2) === 0);
  const pick = (names: readonly string[]): Fields => Object.fromEntries(some(names).map((name) => [name, value()]));
  const keys = ['k1', 'k2', 'k3'].map((key) => key + only);
  return Object.fromEntries(
    some<readonly [string, () => unknown]>([
      ['free', () => pick(keys)],
      ['items', () => some(keys).map((name) => ({ name, ...pick(['x', 'y']) }))],
      ['set', () => some(keys)],
      ...(only === ''
        ? ([
            ['a', value],
            ['inner', () => pick(['b', 'c'])],
            ['whole', () => ({ p: value(), q: value() })],
            ['list', () => [value(), value()]],
          ] as const)
        : []),
    ])
      .map(([name, make]) => [name, make()] as const)
      .filter(([, made]) => typeof made === 'string' || Object.keys(made as object).length > 0),
  );
}

/** Every single value of an object, and each item and member by itself. */
function flat(object: Fields): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of ['a', 'whole', 'list']) {
    if (object[name] !== undefined) found.set(name, JSON.stringify(object[name]));
  }
  for (const name of ['inner', 'free']) {
    for (const [key, value] of Object.entries(isFields(object[name]) ? object[name] : {})) {
      found.set(`${name}.${key}`, textOf(value));
    }
  }
  for (const one of listOf(object['set'])) found.set(`set=${textOf(one)}`, '');
  for (const one of listOf(object['items'])) {
    if (!isFields(one)) continue;
    const at = `items[${textOf(one['name'])}]`;
    found.set(at, '');
    for (const [key, value] of Object.entries(one)) found.set(`${at}.${key}`, textOf(value));
  }
  return found;
}

/** Each value with its owners. */
type Model = Map<string, { value: string; owners: Set<string> }>;

function modelApply(model: Model, config: Fields, manager: string): void {
  const wanted = flat(config);
  for (const [path, { owners }] of model) {
    if (wanted.has(path) || !owners.delete(manager) || owners.size > 0) continue;
    // An item takes along what others have in it.
    for (const below of model.keys()) if (below === path || below.startsWith(`${path}.`)) model.delete(below);
  }
  modelWrite(model, wanted, manager, true);
}

function modelWrite(model: Model, wanted: ReadonlyMap<string, string>, manager: string, shares: boolean): void {
  for (const [path, value] of wanted) {
    const known = model.get(path);
    if (known?.value !== value) model.set(path, { value, owners: new Set([manager]) });
    else if (shares) known.owners.add(manager);
  }
}

interface State {
  readonly object: Fields | undefined;
  readonly entries: Entries;
}

function apply({ object, entries }: State, config: Fields, manager: string, force = true): State {
  const who = { manager, operation: 'Apply', apiVersion: 'v1', subresource: '' } as const;
  const ownable = <T>(set: T): T => set;
  const now = '2026-01-01T00:00:00Z';
  const inVersion = (): undefined => undefined;
  const done = applied({ schema, live: object, entries, config, who, force, now, ownable, in: inVersion });
  return { object: conform(schema, done.object).object, entries: done.entries };
}

function update({ object, entries }: State, next: Fields, manager: string): State {
  const before = object ?? {};
  const face = { schema, before, after: next };
  const who = { manager, operation: 'Update', apiVersion: 'v1', subresource: '' } as const;
  const tracked = { face: () => face, who, now: '2026-01-01T00:00:00Z', ownable: <T>(set: T): T => set };
  const owners = object === undefined ? trackedCreate(tracked, undefined) : trackedUpdate(tracked, entries, undefined);
  return { object: next, entries: owners };
}

const byPath = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1);
const nothing: State = { object: undefined, entries: [] };
const sortedFlat = (state: State): unknown => [...flat(state.object ?? {})].toSorted(byPath);
const rounds = Array.from({ length: 60 }, (_, seed) => ({ seed }));

describe('for random configurations', () => {
  test.for(rounds)('an object has every field that was applied (seed $seed)', ({ seed }) => {
    const config = randomConfig(seeded(seed));
    const { object } = apply(nothing, config, 'me');
    const missing = difference(owned(fieldSetOf(schema, config)), fieldSetOf(schema, object));
    expect([...pathsOf(missing)]).toEqual([]);
  });

  test.for(rounds)('applying twice is applying once (seed $seed)', ({ seed }) => {
    const config = randomConfig(seeded(seed));
    const once = apply(nothing, config, 'me', false);
    expect(apply(once, config, 'me', false)).toEqual(once);
  });

  test.for(rounds)('what is applied no longer is gone (seed $seed)', ({ seed }) => {
    const state = apply(apply(nothing, randomConfig(seeded(seed)), 'me'), {}, 'me', false);
    expect([sortedFlat(state), state.entries]).toEqual([[], []]);
  });

  test.for(rounds)(
    'two who share no field do not conflict, and their order does not count (seed $seed)',
    ({ seed }) => {
      const chance = seeded(seed);
      const [one, two] = [randomConfig(chance, '-one'), randomConfig(chance, '-two')];
      const left = apply(apply(nothing, one, 'one', false), two, 'two', false);
      const right = apply(apply(nothing, two, 'two', false), one, 'one', false);
      expect(sortedFlat(left)).toEqual(sortedFlat(right));
      expect(left.entries.map(({ fieldsV1 }) => fieldsV1)).toEqual(right.entries.map(({ fieldsV1 }) => fieldsV1));
    },
  );

  test.for(rounds)('a history of appliers and updaters ends as the naive model says (seed $seed)', ({ seed }) => {
    const chance = seeded(seed);
    const model: Model = new Map();
    let state = nothing;
    for (let step = 0; step < 12; step++) {
      const manager = `m${chance(3)}`;
      const config = randomConfig(chance);
      if (chance(4) === 0 && state.object !== undefined) {
        // An updater writes values over those that are there.
        const next = conform(schema, { ...state.object, ...config }).object;
        state = update(state, next, manager);
        const wanted = flat(next);
        for (const path of model.keys()) if (!wanted.has(path)) model.delete(path);
        modelWrite(model, wanted, `${manager} (update)`, false);
      } else {
        state = apply(state, config, manager);
        modelApply(model, config, manager);
      }
      const values = [...model].map(([path, { value }]): [string, string] => [path, value]).toSorted(byPath);
      expect(sortedFlat(state)).toEqual(values);
    }
    expect(ownersIn(state)).toEqual(ownersOf(model));
  });
});

/** Paths as `flat` names them, with who owns them. */
function ownersOf(model: Model): Record<string, readonly string[]> {
  return Object.fromEntries([...model].map(([path, { owners }]) => [path, [...owners].toSorted()]));
}

function ownersIn({ entries }: State): Record<string, readonly string[]> {
  const owners = new Map<string, string[]>();
  for (const { manager, operation, fieldsV1 } of entries) {
    for (const path of pathsOf(fieldsV1)) {
      const text = path
        .map((element) =>
          element
            .replace(/^f:/, '.')
            .replace(/^v:"(.*)"$/, '=$1')
            .replace(/^k:\{"name":"(.*)"\}$/, '[$1]'),
        )
        .join('')
        .slice(1);
      owners.set(text, [...(owners.get(text) ?? []), operation === 'Apply' ? manager : `${manager} (update)`]);
    }
  }
  // An updater also owns the maps and lists that it made.
  const single = [...owners].filter(([path]) => !['metadata', 'inner', 'free', 'items', 'set'].includes(path));
  return Object.fromEntries(single.map(([path, names]) => [path, names.toSorted()] as const));
}
