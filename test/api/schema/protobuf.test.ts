import { expect, test } from 'vitest';
import { conform } from '../../../src/api/schema/conform.ts';
import { decodeBody } from '../../../src/api/schema/decode.ts';
import type { Schema } from '../../../src/api/schema/form.ts';
import { servedTypes } from '../../../src/api/schema/kinds.ts';
import { toProtobuf } from '../../../src/api/schema/protobuf.ts';

/** The same numbers every run: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick(schema: Schema, chance: () => number, depth: number): unknown {
  const n = Math.floor(chance() * 1000);
  switch (schema.kind) {
    case 'object': {
      const fields = [...schema.fields.values()].filter((f) => f.number !== undefined);
      const share = depth > 6 ? 0.05 : depth > 3 ? 0.25 : 0.6;
      return Object.fromEntries(
        fields
          .filter(() => chance() < share)
          .map((f) => [f.name, pick(f.schema, chance, depth + 1)] as const)
          // JSON tells an empty list of managers from none, protobuf cannot.
          .filter(([name, value]) => name !== 'managedFields' || (value as readonly unknown[]).length > 0),
      );
    }
    case 'list':
      return Array.from({ length: n % 3 }, () => pick(schema.items, chance, depth + 1));
    case 'map':
      return Object.fromEntries(
        Array.from({ length: n % 3 }, (_, i) => [`k${i}`, pick(schema.values, chance, depth + 1)]),
      );
    case 'string':
      return n % 5 === 0 ? '' : `tëxt ${n}`;
    case 'boolean':
      return n % 2 === 0;
    case 'integer':
      return n % 7 === 0 ? 0 : n % 3 === 0 ? -n : schema.bits === 64 ? n * 4_000_000_007 : n * 2_000_003;
    case 'number':
      return n / 8;
    case 'quantity':
      return ['1', '500m', '1Gi', '0', '1e3'][n % 5];
    case 'int-or-string':
      return n % 2 === 0 ? n : `${n}%`;
    case 'time':
      return `2026-01-02T03:04:${String(n % 60).padStart(2, '0')}Z`;
    case 'microtime':
      return `2026-01-02T03:04:05.${String(n).padStart(6, '0')}Z`;
    case 'duration':
      return `${n}s`;
    case 'bytes':
      return Buffer.from(`bytes ${n}`).toString('base64');
    case 'raw':
    case 'any':
      return { n, deep: [{ a: 'b' }] };
  }
}

test.for(
  servedTypes()
    .filter((type) => !type.group.endsWith('.dev'))
    .map((type) => ({ title: `${type.apiVersion} ${type.kind}`, type })),
)('$title says in protobuf what it says in JSON', ({ type }) => {
  const chance = seeded(type.kind.length * 7919);
  for (let round = 0; round < 20; round++) {
    const fields = { ...(pick(type.schema, chance, 0) as object), apiVersion: type.apiVersion, kind: type.kind };
    const { object, unknown } = conform(type.schema, fields);
    expect(unknown).toEqual([]);
    const bytes = toProtobuf(type.schema, object);
    const back = decodeBody(type, bytes, 'application/vnd.kubernetes.protobuf', 'Strict');
    expect(back.object).toEqual(object);
  }
});
