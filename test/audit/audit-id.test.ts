import { expect, test } from 'vitest';
import { newAuditId, receivedAtOf } from '../../src/audit/audit-id.ts';

test('an id is a UUID of version 7 that tells when its request came', () => {
  const id = newAuditId(1_700_000_000_123);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(receivedAtOf(id)).toBe(1_700_000_000_123);
});

test('ids of one millisecond differ', () => {
  expect(new Set(Array.from({ length: 5000 }, () => newAuditId(1))).size).toBe(5000);
});

test('other ids tell no time', () => {
  expect(receivedAtOf('0f8fad5b-d9cb-469f-a165-70867728950e')).toBeUndefined();
  expect(receivedAtOf("x'; drop")).toBeUndefined();
});
