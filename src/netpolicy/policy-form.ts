/**
 * One NetworkPolicy in the compiler's own words: whom it isolates, in which directions, and what it allows there.
 * Nothing here depends on pods, so a policy is translated once and matched for as long as it stands.
 */
import type {
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from '../api/types/networking.ts';
import type { AllowedBlock, AllowedPorts, Direction, TransportProtocol } from './allow-list.ts';
import { digest } from './digest.ts';
import type { Selector } from './selector.ts';
import { canonicalSelector } from './selector.ts';
import { transportProtocol } from './snapshot.ts';

/** Which pods: of one namespace, or of the namespaces that a selector finds; and in those, which by their labels. */
export interface PodSelection {
  readonly id: string;
  readonly scope:
    | { readonly kind: 'namespace'; readonly namespace: string }
    | { readonly kind: 'namespaces'; readonly selector: Selector };
  readonly pods: Selector;
}

/** A port by name: a number only once the destination pod is known. */
export interface PortName {
  readonly name: string;
  readonly protocol: TransportProtocol;
}

/** `peers` left out: any peer. `ports` left out: any port; then `names` is empty. */
export interface RuleForm {
  readonly peers?: { readonly selections: readonly PodSelection[]; readonly blocks: readonly AllowedBlock[] };
  readonly ports?: readonly AllowedPorts[];
  readonly names: readonly PortName[];
}

export interface PolicyForm {
  /** `namespace/name`. */
  readonly key: string;
  readonly subject: PodSelection;
  /** A direction that is left out is not isolated by this policy; one with no rules allows nothing. */
  readonly rules: { readonly [direction in Direction]?: readonly RuleForm[] };
  /** Changes whenever the name or the meaning changes. */
  readonly digest: string;
}

/**
 * Translates `policy`. policyTypes left out means Ingress, and Egress too if there are egress rules.
 * What it cannot read (a protocol or operator that does not exist) allows nothing.
 * Source: networking.k8s.io/v1.
 */
export function policyForm(policy: NetworkPolicy): PolicyForm {
  const { metadata, spec } = policy;
  const namespace = metadata.namespace ?? 'default';
  const types = isolates(spec);
  const rules = {
    ...(types.includes('Ingress')
      ? { ingress: (spec.ingress ?? []).map((rule) => ruleForm(namespace, rule.from, rule.ports)) }
      : {}),
    ...(types.includes('Egress')
      ? { egress: (spec.egress ?? []).map((rule) => ruleForm(namespace, rule.to, rule.ports)) }
      : {}),
  };
  const key = `${namespace}/${metadata.name ?? ''}`;
  const subject = ownPods(namespace, canonicalSelector(spec.podSelector ?? {}));
  return { key, subject, rules, digest: digest(JSON.stringify([key, rules])) };
}

/** The id of the endpoint set of a port name: every pod address at which a port of that name listens. */
export function endpointSetId({ name, protocol }: PortName): string {
  return `n${digest(JSON.stringify([name, protocol]))}`;
}

function isolates({ policyTypes, egress }: NetworkPolicySpec): readonly string[] {
  if (policyTypes !== undefined && policyTypes.length > 0) return policyTypes;
  return egress === undefined || egress.length === 0 ? ['Ingress'] : ['Ingress', 'Egress'];
}

function ruleForm(
  namespace: string,
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
): RuleForm {
  return {
    ...(peers === undefined || peers.length === 0 ? {} : { peers: peersForm(namespace, peers) }),
    ...(ports === undefined || ports.length === 0 ? { names: [] } : portsForm(ports)),
  };
}

function peersForm(namespace: string, peers: readonly NetworkPolicyPeer[]): NonNullable<RuleForm['peers']> {
  const selections = new Map<string, PodSelection>();
  const blocks: AllowedBlock[] = [];
  for (const { ipBlock, namespaceSelector, podSelector } of peers) {
    if (ipBlock !== undefined) blocks.push(blockForm(ipBlock));
    if (namespaceSelector === undefined && podSelector === undefined) continue;
    const pods = canonicalSelector(podSelector ?? {});
    const selection =
      namespaceSelector === undefined
        ? ownPods(namespace, pods)
        : selectionOf({ kind: 'namespaces', selector: canonicalSelector(namespaceSelector) }, pods);
    selections.set(selection.id, selection);
  }
  return { selections: [...selections.values()], blocks };
}

function blockForm({ cidr, except }: NonNullable<NetworkPolicyPeer['ipBlock']>): AllowedBlock {
  return { cidr, ...(except === undefined || except.length === 0 ? {} : { except }) };
}

function portsForm(ports: readonly NetworkPolicyPort[]): Pick<RuleForm, 'ports' | 'names'> {
  const numbers: AllowedPorts[] = [];
  const names: PortName[] = [];
  for (const { port, endPort, protocol: text } of ports) {
    const protocol = transportProtocol(text);
    if (protocol === undefined) continue;
    if (typeof port === 'string') names.push({ name: port, protocol });
    else {
      numbers.push({
        protocol,
        ...(port === undefined ? {} : { port }),
        ...(port === undefined || endPort === undefined ? {} : { endPort }),
      });
    }
  }
  return { ports: numbers, names };
}

function ownPods(namespace: string, pods: Selector): PodSelection {
  return selectionOf({ kind: 'namespace', namespace }, pods);
}

function selectionOf(scope: PodSelection['scope'], pods: Selector): PodSelection {
  const where = scope.kind === 'namespace' ? [scope.namespace] : [scope.selector.text, true];
  return { id: `p${digest(JSON.stringify([where, pods.text]))}`, scope, pods };
}
