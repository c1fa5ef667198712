/**
 * From the policies that isolate a group of pods to the policy set that judges one of its pods. Pods of a group share
 * it, unless an ingress rule names a port: then it is shared by those for whom the name is the same number.
 */
import type { AllowRule, AllowedPorts, Direction, PolicySet } from './allow-list.ts';
import { digest } from './digest.ts';
import type { PolicyForm, PortName, RuleForm } from './policy-form.ts';
import { endpointSetId } from './policy-form.ts';
import { compareText } from './selector.ts';
import type { NamedPort } from './snapshot.ts';
import { resolvePort } from './snapshot.ts';

/** What judges one pod; a direction left out is not isolated. */
export type PodPolicySets = { readonly [direction in Direction]?: PolicySet };

/** A function from a pod's named ports to its policy sets, for pods that all of `policies` select. Remembers its answers. */
export function policySetsFor(policies: Iterable<PolicyForm>): (ports: readonly NamedPort[]) => PodPolicySets {
  const sorted = [...policies].toSorted((a, b) => compareText(a.key, b.key));
  const ingress = sorted.filter(({ rules }) => rules.ingress !== undefined);
  const egress = sorted.filter(({ rules }) => rules.egress !== undefined);
  const names = ingress.flatMap(({ rules }) => (rules.ingress ?? []).flatMap((rule) => rule.names));
  const egressSet = egress.length === 0 ? {} : { egress: policySet('egress', egress, []) };
  const answers = new Map<string, PodPolicySets>();
  return (ports) => {
    const numbers = names.map(({ name, protocol }) => resolvePort(ports, name, protocol) ?? null);
    const signature = JSON.stringify(numbers);
    let answer = answers.get(signature);
    if (answer === undefined) {
      answer = {
        ...(ingress.length === 0 ? {} : { ingress: policySet('ingress', ingress, ports, signature) }),
        ...egressSet,
      };
      answers.set(signature, answer);
    }
    return answer;
  };
}

/** The peer sets and endpoint sets that `set` names. */
export function setsNamedBy({ policies }: PolicySet): readonly string[] {
  return policies.flatMap(({ rules }) =>
    rules.flatMap((rule) => [...(rule.peerSets ?? []), ...(rule.endpointSets ?? [])]),
  );
}

function policySet(
  direction: Direction,
  policies: readonly PolicyForm[],
  ports: readonly NamedPort[],
  signature = '',
): PolicySet {
  const id = digest(JSON.stringify([direction, signature, policies.map((policy) => policy.digest)]));
  return {
    id: `${direction === 'ingress' ? 'i' : 'e'}${id}`,
    direction,
    policies: policies.map(({ key, rules }) => ({
      policy: key,
      rules: (rules[direction] ?? []).map((rule) => ({ ...peersOf(rule), ...portsOf(rule, direction, ports) })),
    })),
  };
}

function peersOf({ peers }: RuleForm): Pick<AllowRule, 'peerSets' | 'blocks'> {
  if (peers === undefined) return {};
  const { selections, blocks } = peers;
  return {
    ...(selections.length > 0 || blocks.length === 0 ? { peerSets: selections.map(({ id }) => id) } : {}),
    ...(blocks.length > 0 ? { blocks } : {}),
  };
}

function portsOf(
  { ports, names }: RuleForm,
  direction: Direction,
  own: readonly NamedPort[],
): Pick<AllowRule, 'ports' | 'endpointSets'> {
  if (ports === undefined) return {};
  if (direction === 'ingress') return { ports: [...ports, ...names.flatMap((name) => resolved(name, own))] };
  return { ports, ...(names.length > 0 ? { endpointSets: names.map(endpointSetId) } : {}) };
}

function resolved({ name, protocol }: PortName, own: readonly NamedPort[]): readonly AllowedPorts[] {
  const port = resolvePort(own, name, protocol);
  return port === undefined ? [] : [{ protocol, port }];
}
