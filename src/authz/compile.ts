import type { PolicyRule } from '../api/types/rbac.ts';
import type { CompiledRule, Listed } from './rule.ts';

/** `rule` in the form that `grants` judges. Total: what is absent is an empty list, which matches nothing. */
export function compileRule(rule: PolicyRule): CompiledRule {
  const resources = rule.resources ?? [];
  const names = rule.resourceNames ?? [];
  const urls = rule.nonResourceURLs ?? [];
  return {
    verbs: listed(rule.verbs),
    groups: listed(rule.apiGroups ?? []),
    resources: listed(resources),
    anyParent: new Set(resources.filter((entry) => entry.startsWith('*/')).map((entry) => entry.slice(2))),
    names: names.length === 0 ? undefined : new Set(names),
    paths: listed(urls),
    pathPrefixes: urls.filter((url) => url.endsWith('*')).map(pathPrefix),
  };
}

/** What stands before the `*`s at the end of `pattern`. */
export function pathPrefix(pattern: string): string {
  let end = pattern.length;
  while (end > 0 && pattern[end - 1] === '*') end--;
  return pattern.slice(0, end);
}

function listed(values: readonly string[]): Listed {
  return { all: values.includes('*'), values: new Set(values) };
}
