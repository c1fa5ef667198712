/** The rules of one schema, compiled once for as long as the schema lives. */
import type { Structural } from '../../../api/schema/custom/structural.ts';
import { compile, type Compiled } from '../../../cel/compile.ts';
import { kubernetesEnvironment } from '../../../cel/kubernetes.ts';
import { formatIssues } from '../../../cel/source.ts';
import { optionalOf } from '../../../cel/types.ts';
import { textOf, type Fields } from '../../../std/value.ts';
import type { Declared } from './rule-types.ts';

/** A rule, as an expression or as what is wrong with it. */
export interface Rule {
  readonly declared: Fields;
  readonly rule: Compiled | string;
  /** undefined: none. */
  readonly message: Compiled | string | undefined;
  /** It speaks of the value before the change, and is judged only where there is one. */
  readonly isTransition: boolean;
  /** ...unless it takes the value before the change as an optional. */
  readonly isOldOptional: boolean;
}

const compiled = new WeakMap<Structural, { readonly declared: Declared; readonly rules: readonly Rule[] }>();

/** The rules that `schema` itself declares, about values of `declared`. */
export function rulesOf(schema: Structural, declared: Declared): readonly Rule[] {
  const known = compiled.get(schema);
  if (known !== undefined && known.declared === declared) return known.rules;
  const rules = schema.rules.map((rule) => compileRule(rule, declared));
  compiled.set(schema, { declared, rules });
  return rules;
}

function compileRule(declared: Fields, { type }: Declared): Rule {
  const isOldOptional = declared['optionalOldSelf'] === true;
  const environment = kubernetesEnvironment({ self: type, oldSelf: isOldOptional ? optionalOf(type) : type });
  const compileAs = (source: string, kind: 'bool' | 'string', wrong: string): Compiled | string => {
    const made = compile(source, environment);
    if ('issues' in made) return `compilation failed: ${formatIssues(source, made.issues)}`;
    return made.compiled.outputType.kind === kind ? made.compiled : wrong;
  };
  const rule = compileAs(textOf(declared['rule']), 'bool', 'cel expression must evaluate to a bool');
  const source = textOf(declared['messageExpression']);
  const message =
    source.trim() === '' ? undefined : compileAs(source, 'string', 'messageExpression must evaluate to a string');
  const isTransition = typeof rule !== 'string' && rule.uses.has('oldSelf');
  return { declared, rule, message, isTransition, isOldOptional };
}
