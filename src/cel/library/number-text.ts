/** A double as Go writes it: shortest, with an exponent of two digits when it is very large or small. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return value.toString();
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
