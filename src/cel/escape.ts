/**
 * Names of fields as expressions must write them: `in` is `__in__`, `a-b` is `a__dash__b`.
 * Source: Kubernetes, "Validation rules", escaping of property names.
 */
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const escapes: ReadonlyMap<string, string> = new Map([
  ['__', '__underscores__'],
  ['.', '__dot__'],
  ['-', '__dash__'],
  ['/', '__slash__'],
]);

/** `name` as an identifier; undefined when no expression can speak of it. */
export function escapeName(name: string): string | undefined {
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(name)) return undefined;
  if (reserved.has(name)) return `__${name}__`;
  return name.replace(/__|[-./]/g, (part) => escapes.get(part) ?? part);
}

/** The name that an identifier stands for; undefined when it holds an escape that is none. */
export function unescapeName(identifier: string): string | undefined {
  let known = true;
  const name = identifier.replace(/__([^_]+)__/g, (whole, inner: string) => {
    for (const [part, escape] of escapes) if (escape === whole) return part;
    known &&= reserved.has(inner) && whole === identifier;
    return inner;
  });
  return known ? name : undefined;
}
