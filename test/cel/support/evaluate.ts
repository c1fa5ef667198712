import { compile, type Outcome } from '../../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../../src/cel/kubernetes.ts';
import { formatIssues } from '../../../src/cel/source.ts';
import type { Type } from '../../../src/cel/types.ts';
import { show } from './written.ts';

/** What became of an expression, as text: its value, `error: why`, or the issues that kept it from compiling. */
export function evaluated(
  source: string,
  variables: Readonly<Record<string, Type>> = {},
  bindings: Readonly<Record<string, unknown>> = {},
): string {
  const made = compile(source, kubernetesEnvironment(variables));
  if ('issues' in made) return formatIssues(source, made.issues);
  return shown(made.compiled.evaluate(bindings, { remaining: 10_000_000 }));
}

/** An outcome as text. */
export function shown(outcome: Outcome): string {
  if (outcome.kind === 'value') return show(outcome.result);
  return `${outcome.kind === 'failure' ? 'error' : 'exceeded'}: ${outcome.message}`;
}
