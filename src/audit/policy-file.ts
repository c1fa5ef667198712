/**
 * Reads an audit policy file. Stricter than upstream, which falls back to lenient decoding: a misspelt field in a policy
 * is a hole in the trail, so every field must be known, of its type, and of a known value.
 */
import { parseDocument } from 'yaml';
import { StatusError } from '../api/status.ts';
import type { GroupResources, PolicyRule } from '../api/types/audit.ts';
import { dnsSubdomainFormat } from '../std/name-format.ts';
import { compilePolicy, levels, stages } from './policy.ts';
import type { AuditPolicy } from './policy.ts';

const maxBytes = 1024 * 1024; // chosen, not measured: a policy of a thousand rules is a tenth of it

/** The policy in `text` (YAML or JSON, one document). Throws Invalid with one line that names the field. */
export function parsePolicy(text: string): AuditPolicy {
  if (text.length > maxBytes) throw wrong('', `larger than ${maxBytes} bytes`);
  const document = parseDocument(text, { prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) throw wrong('', firstLine(error.message));
  return readPolicy(toPlain(document));
}

function toPlain(document: { toJS(options: { maxAliasCount: number }): unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }); // aliases are bounded before they are expanded
  } catch (error) {
    throw wrong('', error instanceof Error ? firstLine(error.message) : 'cannot be read');
  }
}

/** The policy in a parsed document. Throws Invalid with one line that names the field. */
export function readPolicy(document: unknown): AuditPolicy {
  const policy = members(document ?? {}, '');
  if (policy['apiVersion'] !== 'audit.k8s.io/v1') throw wrong('apiVersion', 'must be audit.k8s.io/v1');
  if (policy['kind'] !== 'Policy') throw wrong('kind', 'must be Policy');
  onlyKnown(policy, '', ['apiVersion', 'kind', 'metadata', 'rules', 'omitStages', 'omitManagedFields']);
  if (policy['metadata'] !== undefined && policy['metadata'] !== null) members(policy['metadata'], 'metadata');
  const rules = list(policy['rules'], 'rules');
  if (rules.length === 0) throw wrong('rules', 'at least one rule is needed');
  return compilePolicy({
    rules: rules.map((rule, index) => readRule(rule, `rules[${index}]`)),
    omitStages: readStages(policy['omitStages'], 'omitStages'),
    ...readManaged(policy, ''),
  });
}

const ruleFields = [
  'level',
  'users',
  'userGroups',
  'verbs',
  'resources',
  'namespaces',
  'nonResourceURLs',
  'omitStages',
  'omitManagedFields',
];

function readRule(value: unknown, path: string): PolicyRule {
  const rule = members(value, path);
  onlyKnown(rule, `${path}.`, ruleFields);
  const field = (name: string): readonly string[] => strings(rule[name], `${path}.${name}`);
  const [namespaces, nonResourceURLs] = [field('namespaces'), field('nonResourceURLs')];
  const resources = list(rule['resources'], `${path}.resources`).map((entry, index) =>
    readResources(entry, `${path}.resources[${index}]`),
  );
  if (nonResourceURLs.length > 0 && (resources.length > 0 || namespaces.length > 0)) {
    throw wrong(`${path}.nonResourceURLs`, 'a rule is for resources or for URLs, not both');
  }
  for (const [index, url] of nonResourceURLs.entries()) checkUrl(url, `${path}.nonResourceURLs[${index}]`);
  return {
    level: readLevel(rule['level'], `${path}.level`),
    users: field('users'),
    userGroups: field('userGroups'),
    verbs: field('verbs'),
    resources,
    namespaces,
    nonResourceURLs,
    omitStages: readStages(rule['omitStages'], `${path}.omitStages`),
    ...readManaged(rule, `${path}.`),
  };
}

function readLevel(value: unknown, path: string): string {
  if (value === undefined || value === null || value === '') throw wrong(path, 'required');
  const level = levels.find((candidate) => candidate === value);
  if (level === undefined) throw wrong(path, `must be one of ${levels.join(', ')}`);
  return level;
}

function readStages(value: unknown, path: string): readonly string[] {
  const names = strings(value, path);
  for (const [index, name] of names.entries()) {
    if (!stages.some((stage) => stage === name)) {
      throw wrong(`${path}[${index}]`, `must be one of ${stages.join(', ')}`);
    }
  }
  return names;
}

function readManaged(from: Members, prefix: string): { readonly omitManagedFields?: boolean } {
  const value = from['omitManagedFields'];
  if (value === undefined || value === null) return {};
  if (typeof value !== 'boolean') throw wrong(`${prefix}omitManagedFields`, 'must be true or false');
  return { omitManagedFields: value };
}

function readResources(value: unknown, path: string): GroupResources {
  const entry = members(value, path);
  onlyKnown(entry, `${path}.`, ['group', 'resources', 'resourceNames']);
  const group = entry['group'] ?? '';
  if (typeof group !== 'string') throw wrong(`${path}.group`, 'must be a string');
  if (group !== '' && (group.length > 253 || !dnsSubdomainFormat.pattern.test(group))) {
    throw wrong(`${path}.group`, 'must be a lower case DNS subdomain');
  }
  const resources = strings(entry['resources'], `${path}.resources`);
  const resourceNames = strings(entry['resourceNames'], `${path}.resourceNames`);
  if (resourceNames.length > 0 && resources.length === 0) {
    throw wrong(`${path}.resourceNames`, 'names need at least one resource beside them');
  }
  return { group, resources, resourceNames };
}

function checkUrl(url: string, path: string): void {
  if (url === '*') return;
  if (!url.startsWith('/')) throw wrong(path, 'must begin with "/" unless it is "*"');
  if (url.slice(0, -1).includes('*')) throw wrong(path, '"*" may only be the last character');
}

type Members = Readonly<Record<string, unknown>>;

function members(value: unknown, path: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'must be an object');
  return value as Members;
}

function list(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(path, 'must be a list');
  return value;
}

function strings(value: unknown, path: string): readonly string[] {
  return list(value, path).map((item, index) => {
    if (typeof item !== 'string') throw wrong(`${path}[${index}]`, 'must be a string');
    return item;
  });
}

function onlyKnown(value: Members, prefix: string, names: readonly string[]): void {
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) throw wrong(`${prefix}${unknown}`, 'unknown field');
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function wrong(path: string, why: string): StatusError {
  return new StatusError('Invalid', `audit policy: ${path === '' ? '' : `${path}: `}${why}`);
}
