/**
 * A number as Go's %v prints a float64, which is how upstream's messages have the bounds of a schema: in full below a
 * million, with an exponent of two digits from there on and for very small ones.
 */
export function goNumber(value: number): string {
  const [digits = '', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (value === 0 || (exponent >= -4 && exponent < 6)) return String(value);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
