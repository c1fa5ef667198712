/**
 * Which records must be committed before the request is answered (or, for what goes on, before it acts): those an
 * intruder would most like to see lost with a crash. Changes are not among them: their rows ride in their own transaction.
 */
import type { RequestFacts } from './recorder.ts';

const insides: readonly string[] = ['exec', 'attach', 'portforward', 'proxy', 'ephemeralcontainers'];

/** Whether the record of this request has to be durable before its caller goes on. */
export function mustBeDurable(
  facts: Pick<RequestFacts, 'isResource' | 'group' | 'resource' | 'subresource'>,
  outcome: { readonly code: number; readonly allowed: boolean; readonly impersonated: boolean },
): boolean {
  if (!outcome.allowed || outcome.impersonated || outcome.code === 401 || outcome.code === 403) return true;
  if (!facts.isResource) return false;
  if (facts.group === 'authentication.k8s.io') return facts.resource === 'tokenreviews';
  if (facts.group !== '') return false;
  if (facts.resource === 'secrets') return true;
  if (facts.resource === 'serviceaccounts') return facts.subresource === 'token';
  return insides.includes(facts.subresource);
}
