import { describe, expect, test } from 'vitest';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  milliUnits,
  parseQuantity,
  subtractQuantities,
  wholeUnits,
} from '../../src/std/quantity.ts';

const quantity = (text: string) => {
  const parsed = parseQuantity(text);
  if (parsed === undefined) throw new Error(`${text} is no quantity`);
  return parsed;
};

describe('the canonical form', () => {
  test.for<[string | number, string]>([
    ['0', '0'],
    [0, '0'],
    ['-0', '0'],
    ['00', '0'],
    [2, '2'],
    [0.5, '500m'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['5.', '5'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['100m', '100m'],
    ['1000', '1k'],
    ['1500', '1500'],
    ['1024Mi', '1Gi'],
    ['1Ki', '1Ki'],
    ['0.5Ki', '512'],
    ['0.1Gi', '107374182400m'],
    ['1.5Gi', '1536Mi'],
    ['1000Ki', '1000Ki'],
    ['1000000k', '1G'],
    ['1e3', '1e3'],
    ['1E3', '1e3'],
    ['12e2', '1200'],
    ['1E', '1E'],
    ['0.0000000001', '1n'],
    ['1u', '1u'],
    ['-1500m', '-1500m'],
    ['+2', '2'],
    ['100Ei', '9223372036854775807'],
    [' 1 ', '1'],
  ])('%s is written %s', ([written, canonical]) => {
    expect(canonicalQuantity(written)).toBe(canonical);
    expect(canonicalQuantity(canonical)).toBe(canonical);
  });

  test.for(['', '.', 'm', '1 Gi', '1ki', '1Gib', 'abc', '1.2.3', '--1', '0x10', '1e', 'NaN', 'Infinity', '1e1000'])(
    '"%s" is no quantity',
    (text) => {
      expect(canonicalQuantity(text)).toBeUndefined();
    },
  );
});

test('amounts are compared, added and taken away exactly, across suffixes', () => {
  expect(compareQuantities(quantity('1Gi'), quantity('1G'))).toBe(1);
  expect(compareQuantities(quantity('1'), quantity('1000m'))).toBe(0);
  expect(formatQuantity(addQuantities(quantity('0.1'), quantity('0.2')))).toBe('300m');
  expect(formatQuantity(addQuantities(quantity('0'), quantity('1Gi')))).toBe('1Gi');
  expect(formatQuantity(subtractQuantities(quantity('1Gi'), quantity('512Mi')))).toBe('512Mi');
  expect(formatQuantity(subtractQuantities(quantity('1'), quantity('3')))).toBe('-2');
});

test('whole and milli units round up', () => {
  expect(wholeUnits(quantity('1.2'))).toBe(2);
  expect(wholeUnits(quantity('1Ki'))).toBe(1024);
  expect(milliUnits(quantity('0.1'))).toBe(100);
  expect(milliUnits(quantity('1u'))).toBe(1);
});
