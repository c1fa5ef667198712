import type { AccessRequest } from '../api/access.ts';
import type { StatusError as Refusal } from '../api/status.ts';
import { forbidden, StatusError } from '../api/status.ts';
import { goQuote } from './go-quote.ts';

/**
 * What was refused to whom, in upstream's words:
 * `User "alice" cannot list resource "secrets" in API group "" in the namespace "shop"`,
 * `… at the cluster scope`, `User "x" cannot get path "/metrics"`. Says nothing of why.
 */
export function describeDenial(request: AccessRequest): string {
  const who = `User ${goQuote(request.user.name)} cannot ${request.verb}`;
  if (request.kind === 'path') return `${who} path ${goQuote(request.path)}`;
  const { resource, subresource, group, namespace } = request;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${goQuote(namespace)}`;
  return `${who} resource ${goQuote(what)} in API group ${goQuote(group)} ${where}`;
}

/** The 403 for a request that authorization denied. */
export function deniedStatus(request: AccessRequest): Refusal {
  const why = describeDenial(request);
  if (request.kind === 'path') {
    return new StatusError('Forbidden', `forbidden: ${why}`, { details: {} });
  }
  return forbidden({ group: request.group, resource: request.resource }, request.name, why);
}
