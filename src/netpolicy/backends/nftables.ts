/**
 * The kernel data plane. The table stands in the kernel whether the agent lives or not: a pod that was denied stays
 * denied, and a new agent takes it over. One writer: a change goes at once when nothing is under way, else into the next transaction.
 */
import { deadline } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { parseAddress } from '../address.ts';
import { digest } from '../digest.ts';
import { judgeOf } from '../reachability.ts';
import type { ServicePort } from '../service-map.ts';
import type { Capabilities, DataPlane, LocalPod, PolicyView } from './backend.ts';
import { coalesced } from './coalesce.ts';
import { runCommand } from './command.ts';
import type { TrackedFlow } from './conntrack.ts';
import { forgetFlow, hasConntrack, trackedFlows } from './conntrack.ts';
import { NftProcess } from './nft-process.ts';
import type { NftTable } from './nft-table.ts';
import { ruleCount, tableDifference, traceOf, wholeTable } from './nft-table.ts';
import { endpointMap, renderTable } from './render.ts';

const trialMs = 10_000;

/** How long rules that somebody else removed are missed at most. One look takes about 10 ms. Chosen, not measured. */
const defaultLookMs = 5_000;

export interface NftablesOptions {
  /** The node's name; its table carries a hash of it, so several nodes can share a host. */
  readonly node: string;
  /** Put before `nft` and `conntrack`, to act in another network namespace. */
  readonly commandPrefix?: readonly string[];
  /** See NodeState. True by default; of several nodes that share a host one is enough. */
  readonly serveOthers?: boolean;
  readonly clusterNetworks?: readonly string[];
  /** How often to look whether the table still stands. */
  readonly lookMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Why this process cannot enforce anything by nftables here, and what to do; undefined when it can. Changes nothing. */
export async function whyNoNftables(prefix: readonly string[] = []): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it needs Linux';
  const empty = renderTable({ pods: [], view: undefined, services: [], serveOthers: true, clusterNetworks: undefined });
  const commands = `${wholeTable('gatehouse_trial', empty).join('\n')}\n`;
  try {
    // The kernel looks at all of it and commits none.
    const { code, stderr } = await runCommand([...prefix, 'nft', '-c', '-f', '-'], commands, deadline(trialMs));
    return code === 0 ? undefined : `the kernel refused a trial: ${stderr.trim().split('\n', 1)[0] ?? ''}`;
  } catch {
    return 'the program nft is not here (install nftables)';
  }
}

/** The nftables back end on this machine; finds out what it can do. */
export async function createNftables(options: NftablesOptions): Promise<DataPlane> {
  return new Nftables(options, await hasConntrack(options.commandPrefix ?? []));
}

class Nftables implements DataPlane {
  readonly capabilities: Capabilities;
  readonly #options: NftablesOptions;
  readonly #prefix: readonly string[];
  readonly #table: string;
  readonly #nft: NftProcess;
  readonly #write = coalesced(() => this.#commit());
  /** By first address: a pod's addresses are its own for as long as it is here. */
  readonly #pods = new Map<string, LocalPod>();
  /** Addresses that an earlier agent's table judges; undefined where there was none. */
  #adopted: ReadonlySet<string> | undefined;
  #view: PolicyView | undefined;
  #services: readonly ServicePort[] = [];
  /** What the kernel holds; undefined when that is not certain. */
  #inKernel: NftTable | undefined;
  #generation: number | undefined;
  /** The kernel's number of the table that was last written whole; undefined until it was looked at. */
  #handle: number | undefined;
  readonly #stopping = new AbortController();
  #watching: Promise<void> | undefined;

  constructor(options: NftablesOptions, cutsEstablished: boolean) {
    this.#options = options;
    this.#prefix = options.commandPrefix ?? [];
    this.#table = `gatehouse_${digest(options.node).slice(0, 12)}`;
    this.#nft = new NftProcess(this.#prefix);
    this.capabilities = {
      backend: 'nftables',
      serviceTraffic: true,
      podTraffic: true,
      sctp: true,
      cutsEstablished,
      outlivesAgent: true,
      notEnforced: cutsEstablished ? [] : ['connections already open when a policy forbids them (install conntrack)'],
    };
  }

  async start(): Promise<readonly string[]> {
    const listed = [4, 6].map((family) => this.#nft.listJson(['list', 'set', 'inet', this.#table, `local_${family}`]));
    const answers = (await Promise.all(listed)).filter((answer) => answer !== undefined);
    const found = answers.flatMap(elementsOf);
    if (answers.length > 0) this.#adopted = new Set(found);
    for (const address of found) this.#pods.set(address, { uid: '', addresses: [address] });
    this.#watching = this.#watch(this.#stopping.signal);
    return found;
  }

  async podAdded(pod: LocalPod): Promise<void> {
    for (const address of pod.addresses) this.#pods.delete(address);
    this.#pods.set(pod.addresses[0] ?? pod.uid, pod);
    await this.#write();
  }

  async podRemoved(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) this.#pods.delete(address);
    await this.#disown(addresses);
    await this.#write();
    const gone = new Set(addresses.map((text) => parseAddress(text)?.text));
    await this.#forget(({ from, to }) => gone.has(from.text) || gone.has(to.text));
  }

  async apply(view: PolicyView): Promise<void> {
    this.#view = view;
    await this.#write();
    await this.#cutDenied();
    this.#generation = view.allowList.metadata.generation;
  }

  async applyServices(services: readonly ServicePort[]): Promise<void> {
    this.#services = services;
    await this.#write();
    await this.#forget((flow) => this.#isStale(flow));
  }

  enforcedGeneration(): number | undefined {
    return this.#generation;
  }

  async stop({ leaveRules }: { readonly leaveRules: boolean }): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    if (!leaveRules) {
      await this.#write().catch(() => {}); // refused, once what is under way is over: that would bring the table back
      await this.#nft.transact([`add table inet ${this.#table}`, `delete table inet ${this.#table}`]);
    }
    this.#nft.stop();
  }

  async #commit(): Promise<void> {
    if (this.#stopping.signal.aborted) throw new Error('the data plane was stopped');
    const wanted = renderTable({
      pods: [...this.#pods.values()],
      view: this.#view,
      services: this.#services,
      serveOthers: this.#options.serveOthers ?? true,
      clusterNetworks: this.#options.clusterNetworks,
    });
    if (this.#view === undefined && this.#adopted !== undefined) {
      await this.#denyMore(wanted, this.#adopted);
      return;
    }
    const known = this.#inKernel;
    this.#inKernel = undefined;
    if (known === undefined) await this.#writeWhole(wanted);
    else await this.#advance(known, wanted);
    this.#inKernel = wanted;
  }

  // Until the first list is here an adopted table keeps judging with the old one: only pods it does not know are added, denied.
  async #denyMore({ sets }: NftTable, adopted: ReadonlySet<string>): Promise<void> {
    const fresh = [...this.#pods.values()].filter(({ addresses }) => !addresses.some((one) => adopted.has(one)));
    const names = new Set(
      fresh.flatMap((pod) => [...pod.addresses, ...(pod.interface === undefined ? [] : [pod.interface])]),
    );
    const commands = ['interfaces', 'local_4', 'local_6', 'sources_4', 'sources_6'].flatMap((name) => {
      const added = [...(sets.get(name)?.elements ?? [])].filter((element) =>
        names.has((element.split(' . ').at(-1) ?? '').replaceAll('"', '')),
      );
      return added.length === 0 ? [] : [`add element inet ${this.#table} ${name} { ${added.join(', ')} }`];
    });
    if (commands.length > 0) await this.#nft.transact(commands);
  }

  // In an adopted table that still judges by the old list: the address loses its verdicts, so that an heir has none.
  async #disown(addresses: readonly string[]): Promise<void> {
    const adopted = this.#adopted;
    if (this.#view !== undefined || adopted === undefined) return;
    const gone = new Set(addresses.filter((address) => adopted.has(address)));
    if (gone.size === 0) return;
    const commands: string[] = [];
    for (const name of ['ingress', 'egress', 'local'].flatMap((one) => [`${one}_4`, `${one}_6`])) {
      const kind = name.startsWith('local') ? 'set' : 'map';
      const listed = await this.#nft.listJson(['list', kind, 'inet', this.#table, name]);
      const held = elementsOf(listed).filter((element) => gone.has(element));
      if (held.length > 0) commands.push(`delete element inet ${this.#table} ${name} { ${held.join(', ')} }`);
    }
    if (commands.length > 0) await this.#nft.transact(commands);
    this.#adopted = new Set([...adopted].filter((address) => !gone.has(address)));
  }

  async #advance(known: NftTable, wanted: NftTable): Promise<void> {
    const commands = tableDifference(this.#table, known, wanted);
    if (commands.length === 0) return;
    if (commands.some((command) => command.includes(endpointMap))) {
      await this.#writeWhole(wanted);
      return;
    }
    try {
      await this.#nft.transact(commands);
    } catch (error) {
      this.#options.log.warn('the kernel refused a change of the table: it is written anew', { error });
      await this.#writeWhole(wanted);
    }
  }

  async #writeWhole(wanted: NftTable): Promise<void> {
    this.#handle = undefined;
    await this.#nft.transact(wholeTable(this.#table, wanted));
  }

  // Whoever reloads the machine's own firewall flushes ours with it, and tells nobody.
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, log, lookMs = defaultLookMs } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(lookMs, signal).catch(() => {}); // stopped
      await this.#mend(signal).catch((error: unknown) => log.warn('the table was not looked at', { error }));
    }
  }

  async #mend(signal: AbortSignal): Promise<void> {
    const known = this.#inKernel;
    if (known === undefined || signal.aborted) return;
    const found = traceOf(this.#table, await this.#nft.listJson(['--terse', 'list', 'ruleset', 'inet']));
    if (this.#inKernel !== known || signal.aborted) return; // written meanwhile
    const stands = found?.rules === ruleCount(known) && (this.#handle === undefined || this.#handle === found.handle);
    if (stands) {
      this.#handle = found.handle;
      return;
    }
    this.#options.log.warn('somebody removed rules from the table: it is written anew', { table: this.#table });
    this.#inKernel = undefined;
    await this.#write();
    await this.#cutDenied();
  }

  async #cutDenied(): Promise<void> {
    const view = this.#view;
    if (view === undefined) return;
    const judge = judgeOf([view.allowList], view.slices);
    await this.#forget((flow) => !judge(flow).allowed);
  }

  // A UDP client never closes: without this it would be led to an endpoint that is gone for as long as it sends.
  #isStale({ protocol, dialled, dialledPort, to, port }: TrackedFlow): boolean {
    if (protocol !== 'UDP' || dialled.text === to.text) return false;
    const service = this.#services.find(
      (one) => one.protocol === protocol && one.address === dialled.text && one.port === dialledPort,
    );
    return service?.endpoints.every((endpoint) => endpoint.address !== to.text || endpoint.port !== port) === true;
  }

  async #forget(matches: (flow: TrackedFlow) => boolean): Promise<void> {
    if (!this.capabilities.cutsEstablished) return;
    for (const flow of (await trackedFlows(this.#prefix)).filter(matches)) await forgetFlow(this.#prefix, flow);
  }
}

/** The plain elements in the answer to `nft -j list set`, the keys of those in the answer to `list map`. */
function elementsOf(answer: unknown): readonly string[] {
  const parts = isRecord(answer) && Array.isArray(answer['nftables']) ? (answer['nftables'] as readonly unknown[]) : [];
  return parts.flatMap((part) => {
    const holder = isRecord(part) ? (part['set'] ?? part['map']) : undefined;
    const elements = isRecord(holder) && Array.isArray(holder['elem']) ? (holder['elem'] as readonly unknown[]) : [];
    return elements
      .map((element): unknown => (Array.isArray(element) ? element[0] : element))
      .filter((element) => typeof element === 'string');
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
