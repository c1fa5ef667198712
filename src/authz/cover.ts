/**
 * Whether held rules contain wanted ones, for escalation checks and for mending default roles. A wanted rule is broken
 * into its atoms (one verb on one resource of one group, or on one path), and each atom must lie within one held rule.
 * `*` counts only where it is written: holding every verb there is does not cover `*`.
 * Source: Kubernetes RBAC escalation prevention.
 */
import type { PolicyRule } from '../api/types/rbac.ts';
import { pathPrefix } from './compile.ts';

/** The atoms of `wanted` that no rule of `held` covers, in order; none when all is covered. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(atoms).filter((atom) => !held.some((rule) => covers(rule, atom)));
}

/** `rules` with the verbs of atoms on the same resource, or name, gathered into one rule; others stay as they are. */
export function compact(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  const simple = new Map<string, { rule: PolicyRule; verbs: string[] }>();
  const others: PolicyRule[] = [];
  for (const rule of rules) {
    if ((rule.nonResourceURLs ?? []).length > 0) {
      others.push(rule);
      continue;
    }
    const key = JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames]);
    const known = simple.get(key);
    if (known === undefined) simple.set(key, { rule, verbs: [...rule.verbs] });
    else known.verbs.push(...rule.verbs.filter((verb) => !known.verbs.includes(verb)));
  }
  return [...others, ...[...simple.values()].map(({ rule, verbs }) => ({ ...rule, verbs }))];
}

function atoms(rule: PolicyRule): readonly PolicyRule[] {
  const names = rule.resourceNames ?? [];
  const found: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const atom = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (names.length === 0) found.push(atom);
        else found.push(...names.map((name) => ({ ...atom, resourceNames: [name] })));
      }
    }
    for (const url of rule.nonResourceURLs ?? []) found.push({ verbs: [verb], nonResourceURLs: [url] });
  }
  return found;
}

function covers(held: PolicyRule, atom: PolicyRule): boolean {
  const heldNames = held.resourceNames ?? [];
  const wantedNames = atom.resourceNames ?? [];
  return (
    hasAll(held.verbs, atom.verbs) &&
    hasAll(held.apiGroups ?? [], atom.apiGroups ?? []) &&
    (atom.resources ?? []).every((resource) => coversResource(held.resources ?? [], resource)) &&
    (heldNames.length === 0 || (wantedNames.length > 0 && wantedNames.every((name) => heldNames.includes(name)))) &&
    (atom.nonResourceURLs ?? []).every((url) => (held.nonResourceURLs ?? []).some((path) => coversPath(path, url)))
  );
}

function hasAll(held: readonly string[], wanted: readonly string[]): boolean {
  return held.includes('*') || wanted.every((value) => held.includes(value));
}

function coversResource(held: readonly string[], resource: string): boolean {
  if (held.includes('*') || held.includes(resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && held.includes(`*/${resource.slice(slash + 1)}`);
}

function coversPath(held: string, path: string): boolean {
  return held === path || (held.endsWith('*') && path.startsWith(pathPrefix(held)));
}
