/**
 * The requests that `gatehouse audit eval` asks a policy about: `{ who, verb, target }` for a resource,
 * `{ who, verb, path }` for a path; who is `{ name, groups }`, or null for nobody.
 */
import { badRequest } from '../api/status.ts';
import type { StatusError } from '../api/status.ts';
import type { PolicyRequest } from './policy.ts';

type Members = Readonly<Record<string, unknown>>;

/** Reads a list of requests, or `{ requests: [...] }`, or a single request. Throws BadRequest with one line. */
export function readRequests(document: unknown): readonly PolicyRequest[] {
  const wrapped = isMembers(document) ? (document['requests'] ?? [document]) : document;
  if (!Array.isArray(wrapped)) throw wrong('requests', 'must be a list');
  return wrapped.map((request, index) => readRequest(request, `requests[${index}]`));
}

function readRequest(value: unknown, path: string): PolicyRequest {
  if (!isMembers(value)) throw wrong(path, 'must be an object');
  const verb = text(value, 'verb', path);
  const user = readUser(value['who'], `${path}.who`);
  const target = value['target'];
  if (target === undefined || target === null) {
    const at = text(value, 'path', path);
    if (!at.startsWith('/')) throw wrong(`${path}.path`, 'a request needs a target, or a path that begins with "/"');
    return { ...nothing, user, verb, path: at };
  }
  if (!isMembers(target)) throw wrong(`${path}.target`, 'must be an object');
  const field = (name: string): string => text(target, name, `${path}.target`);
  if (field('resource') === '') throw wrong(`${path}.target.resource`, 'required');
  return {
    user,
    verb,
    isResource: true,
    group: field('group'),
    resource: field('resource'),
    subresource: field('subresource'),
    namespace: field('namespace'),
    name: field('name'),
    path: '',
  };
}

const nothing = { isResource: false, group: '', resource: '', subresource: '', namespace: '', name: '' };

function readUser(value: unknown, path: string): PolicyRequest['user'] {
  if (value === undefined || value === null) return undefined;
  if (!isMembers(value)) throw wrong(path, 'must be an object or null');
  const groups: unknown = value['groups'] ?? [];
  if (!Array.isArray(groups)) throw wrong(`${path}.groups`, 'must be a list');
  return {
    name: text(value, 'name', path),
    groups: groups.map((group: unknown, index) => {
      if (typeof group !== 'string') throw wrong(`${path}.groups[${index}]`, 'must be a string');
      return group;
    }),
  };
}

function text(from: Members, name: string, path: string): string {
  const value = from[name] ?? '';
  if (typeof value !== 'string') throw wrong(`${path}.${name}`, 'must be a string');
  return value;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(path: string, why: string): StatusError {
  return badRequest(`${path}: ${why}`);
}
