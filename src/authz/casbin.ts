/**
 * Casbin makes the decision; this file is the only one that knows it. What reaches Casbin is a request (as a value,
 * never as text) and rule ids of our own making: nothing a client chose is ever parsed as policy or as an expression.
 *
 * The candidates of one request are set and judged synchronously. With Casbin's asynchronous `enforce`, two requests
 * would interleave on the shared model and one could be judged by the other's candidates.
 */
import { Enforcer, newModelFromString } from 'casbin';
import type { AccessRequest, Grant } from '../api/access.ts';
import type { CompiledRule } from './rule.ts';
import { grants } from './rule.ts';

const model = `
[request_definition]
r = request
[policy_definition]
p = rule
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = grants(r.request, p.rule)
`;

/** With no policy loaded Casbin evaluates its matcher once over empty values; this id, which no rule has, keeps it off that path. */
const sentinel = 'none';

/** One rule that may grant a request. `id` is opaque and unique among the candidates of one request. */
export interface Candidate {
  readonly id: string;
  readonly rule: CompiledRule;
  /** Which binding and role the rule came from, made only for the rule that grants. */
  grant(): Grant;
  /** The same in upstream's words, for the audit trail. */
  reason(): string;
}

/** The candidate by which Casbin allows `request`, or undefined when it denies. Throws what Casbin throws. */
export type Judge = (request: AccessRequest, candidates: readonly Candidate[]) => Candidate | undefined;

/** A judge with a Casbin enforcer of its own. */
export function createJudge(): Judge {
  const enforcer = new Enforcer();
  const policy = newModelFromString(model);
  enforcer.setModel(policy);

  let current: ReadonlyMap<string, Candidate> = new Map();
  const matcher = (request: AccessRequest, id: string): boolean => {
    const candidate = current.get(id);
    return candidate !== undefined && grants(candidate.rule, request);
  };
  // Declared async by Casbin, yet done when it returns. Were it not, the matcher would be unknown and every request denied.
  void enforcer.addFunction('grants', matcher);

  return (request, candidates) => {
    const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
    current = byId;
    try {
      policy.clearPolicy();
      policy.addPolicies('p', 'p', byId.size === 0 ? [[sentinel]] : Array.from(byId.keys(), (id) => [id]));
      const [allowed, rule] = enforcer.enforceExSync(request);
      return allowed ? byId.get(rule[0] ?? sentinel) : undefined;
    } finally {
      current = new Map();
    }
  };
}
