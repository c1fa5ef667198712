/**
 * Policy cases without a server: objects and probes in, verdicts out. What `gatehouse netpol eval` prints.
 * A case's steps run in order on the state that the one before left: deletions first, then objects applied, then probes.
 */
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { Pod, Service } from '../api/types/core.ts';
import type { KubeObject } from '../api/meta.ts';
import { badRequest } from '../api/status.ts';
import type { Address, Family } from './address.ts';
import { parseAddress } from './address.ts';
import type { NodeAllowList, PeerSetSlice } from './allow-list.ts';
import type { PolicyInput } from './compile.ts';
import { AllowListCompiler } from './compile.ts';
import type { Flow, Translate, Verdict } from './reachability.ts';
import { judgeOf, reaches } from './reachability.ts';
import { servicePorts, translationOf } from './service-map.ts';
import { transportProtocol } from './snapshot.ts';

export type ProbeEnd = string | { readonly ip: string };

/** One question. An end is `namespace/pod` or an address; `family` says which addresses two pods use. */
export interface Probe {
  readonly from: ProbeEnd;
  readonly to: ProbeEnd;
  readonly protocol: string;
  readonly port: number;
  readonly family?: string | number;
}

export interface PolicyStep {
  readonly delete?: readonly { readonly kind: string; readonly namespace?: string; readonly name: string }[];
  readonly apply?: readonly KubeObject[];
  readonly probes: readonly Probe[];
}

export interface PolicyCase {
  readonly name: string;
  readonly objects: readonly KubeObject[];
  readonly probes: readonly Probe[];
  readonly steps?: readonly PolicyStep[];
}

export interface ProbeResult {
  readonly allowed: boolean;
}

export interface CaseResult {
  readonly name: string;
  readonly probes: readonly ProbeResult[];
  readonly steps: readonly { readonly probes: readonly ProbeResult[] }[];
}

/** Kinds a case may hold that this program does not compile: leaving them out would answer a different question. */
const notCompiled = ['ClusterNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'];

/** The verdicts on `asked`. Throws BadRequest on an object or probe that cannot be judged. */
export function evaluateCase(asked: PolicyCase): CaseResult {
  const world = new World();
  for (const object of asked.objects) world.apply(object);
  const probes = world.judge(asked.probes);
  const steps = (asked.steps ?? []).map((step) => {
    for (const { kind, namespace, name } of step.delete ?? []) world.remove(kind, namespace ?? '', name);
    for (const object of step.apply ?? []) world.apply(object);
    return { probes: world.judge(step.probes) };
  });
  return { name: asked.name, probes, steps };
}

/** The objects of one case, and the lists compiled from them change by change. */
class World {
  readonly #objects = new Map<string, KubeObject>();
  readonly #compiler = new AllowListCompiler();
  readonly #lists = new Map<string, NodeAllowList>();
  readonly #slices = new Map<string, PeerSetSlice>();

  apply(object: KubeObject): void {
    if (notCompiled.includes(object.kind))
      throw badRequest(`${object.kind} "${object.metadata.name}" is not enforced by this version`);
    this.#objects.set(keyOf(object.kind, object.metadata.namespace ?? '', object.metadata.name), object);
    // Its kind says which it is; others are ignored there.
    this.#compiler.upsert(object as unknown as PolicyInput);
  }

  remove(kind: string, namespace: string, name: string): void {
    this.#objects.delete(keyOf(kind, namespace, name));
    this.#compiler.remove(kind, namespace, name);
  }

  judge(probes: readonly Probe[]): readonly ProbeResult[] {
    const { lists, slices } = this.#compiler.take();
    carry(this.#lists, lists);
    carry(this.#slices, slices);
    const judge = judgeOf(this.#lists.values(), this.#slices.values());
    // A kind says which type an object is.
    const services = servicePorts(
      this.#ofKind('Service') as unknown as readonly Service[],
      this.#ofKind('EndpointSlice') as unknown as readonly EndpointSlice[],
    );
    const translate = translationOf(services);
    return probes.map((probe) => ({ allowed: this.#answer(probe, judge, translate) }));
  }

  #answer(probe: Probe, judge: (flow: Flow) => Verdict, translate: Translate): boolean {
    const protocol = transportProtocol(probe.protocol);
    if (protocol === undefined)
      throw badRequest(`a probe names the unknown protocol ${JSON.stringify(probe.protocol)}`);
    const [sources, targets] = [this.#addresses(probe.from), this.#addresses(probe.to)];
    // A literal address has one family; between two pods the probe says, or the destination's first address.
    const literal = [probe.from, probe.to].some((end) => typeof end !== 'string');
    const shared = targets.find((target) => sources.some(({ family }) => family === target.family))?.family;
    const family = literal ? shared : (familyOf(probe.family) ?? targets[0]?.family);
    const to = targets.find((address) => address.family === family);
    const from = sources.find((address) => address.family === family);
    // Without an address of the family on both ends no packet can be sent.
    return (
      to !== undefined && from !== undefined && reaches(judge, translate, { from, to, protocol, port: probe.port })
    );
  }

  #addresses(end: ProbeEnd): readonly Address[] {
    if (typeof end !== 'string') {
      const address = parseAddress(end.ip);
      if (address === undefined) throw badRequest(`a probe names ${JSON.stringify(end.ip)}, which is no address`);
      return [address];
    }
    const [namespace = '', name = ''] = end.split('/');
    const pod = this.#objects.get(keyOf('Pod', namespace, name)) as Pod | undefined;
    if (pod === undefined)
      throw badRequest(`a probe names the pod ${JSON.stringify(end)}, which is not among the objects`);
    const { podIPs, podIP } = pod.status ?? {};
    return (podIPs?.map(({ ip }) => ip) ?? [podIP ?? '']).flatMap((text) => parseAddress(text) ?? []);
  }

  #ofKind(kind: string): readonly KubeObject[] {
    return [...this.#objects.values()].filter((object) => object.kind === kind);
  }
}

function carry<Value>(into: Map<string, Value>, changes: ReadonlyMap<string, Value | undefined>): void {
  for (const [name, value] of changes) {
    if (value === undefined) into.delete(name);
    else into.set(name, value);
  }
}

function keyOf(kind: string, namespace: string, name: string): string {
  return JSON.stringify([kind, namespace, name]);
}

function familyOf(text: string | number | undefined): Family | undefined {
  if (text === undefined) return undefined;
  return String(text).endsWith('6') ? 6 : 4;
}
