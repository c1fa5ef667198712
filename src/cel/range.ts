/** From the least to the most that something can be: a size or a cost. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** As much as upstream counts to. Sums and products stay there. */
export const maxCost = 2 ** 64;

/** Exactly `value`. */
export function fixed(value: number): Range {
  return { min: value, max: value };
}

export function add(...ranges: readonly Range[]): Range {
  let [min, max] = [0, 0];
  for (const range of ranges) {
    min += range.min;
    max += range.max;
  }
  return { min: Math.min(min, maxCost), max: Math.min(max, maxCost) };
}

export function times(a: Range, b: Range): Range {
  return { min: Math.min(a.min * b.min, maxCost), max: Math.min(a.max * b.max, maxCost) };
}

/** `range` times a factor, rounded up. */
export function scaled(range: Range, factor: number): Range {
  return {
    min: Math.min(Math.ceil(range.min * factor), maxCost),
    max: Math.min(Math.ceil(range.max * factor), maxCost),
  };
}

/** From the least of all to the most of all; nothing for none. */
export function joined(ranges: readonly Range[]): Range {
  let [min, max] = [ranges.length === 0 ? 0 : maxCost, 0];
  for (const range of ranges) {
    min = Math.min(min, range.min);
    max = Math.max(max, range.max);
  }
  return { min, max };
}
