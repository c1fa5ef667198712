/** The path that a rule reports its failure at: `.spec.replicas`, `.labels['a.b']`. Source: Kubernetes, "Field paths". */
import type { Structural } from '../../../api/schema/custom/structural.ts';

/** `path`, relative to `schema`, as messages write it; or why it is none. */
export function ruleFieldPath(
  schema: Structural,
  path: string,
): { readonly field: string } | { readonly fault: string } {
  let [here, field, rest] = [schema, '', path];
  while (rest !== '') {
    const step = /^(?:\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\])/.exec(rest);
    if (step === null) {
      return { fault: /^[.[]/.test(rest) ? 'unexpected end of JSON path' : `expected [ or . but got: ${rest}` };
    }
    const name = step[1] ?? (step[2] ?? '').replace(/\\(['\\])/g, '$1');
    const property = here.properties.get(name);
    const below = here.properties.size > 0 ? property : here.additional;
    if (typeof below !== 'object') return { fault: 'does not refer to a valid field' };
    field += property === undefined ? `[${name}]` : `${field === '' ? '' : '.'}${name}`;
    [here, rest] = [below, rest.slice(step[0].length)];
  }
  return { field };
}
