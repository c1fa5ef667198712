/**
 * A small network of its own: one network namespace as the host, one per pod, routed veths between them as a node
 * makes them. Nothing of the machine's own network is touched; `close` leaves nothing behind.
 */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import type { Dial, Outcome } from './pod-programs.ts';
import { dialOnce, echoServer } from './pod-programs.ts';

export interface LabPod {
  readonly name: string;
  readonly v4: string;
  readonly v6: string;
  /** The host's end of its link. */
  readonly interface: string;
  readonly prefix: readonly string[];
}

export class Lab {
  readonly #id = `gh${process.pid.toString(36)}`;
  readonly #children: ChildProcess[] = [];
  readonly #pods = new Map<string, LabPod>();
  readonly #host: string | undefined;
  /** For messages. */
  readonly host: string;
  readonly hostPrefix: readonly string[];

  /** `inPlace`: this process's own network is the host's; it has to be one of its own. */
  constructor(inPlace = false) {
    this.#host = inPlace ? undefined : `${this.#id}-host`;
    this.host = this.#host ?? 'this host';
    this.hostPrefix = this.#host === undefined ? [] : ['ip', 'netns', 'exec', this.#host];
  }

  open(): void {
    if (this.#host !== undefined) run(['ip', 'netns', 'add', this.#host]);
    this.inHost('ip', 'link', 'set', 'lo', 'up');
    for (const setting of [
      'net.ipv4.ip_forward=1',
      'net.ipv6.conf.all.forwarding=1',
      'net.ipv4.conf.all.rp_filter=0',
    ]) {
      this.inHost('sysctl', '-qw', setting);
    }
    // A route for service addresses, so that the host itself can dial them.
    this.inHost('ip', 'addr', 'add', '10.200.255.1/32', 'dev', 'lo');
    this.inHost('ip', 'route', 'add', '10.96.0.0/16', 'dev', 'lo', 'src', '10.200.255.1');
  }

  /** A pod with an echo server on 8080, 8081 and 53, answering its name. */
  async addPod(name: string, index: number): Promise<LabPod> {
    const netns = `${this.#id}-${name}`;
    const [v4, v6, link] = [`10.200.0.${index}`, `fd00:200::${index}`, `${this.#id}${name}`.slice(0, 15)];
    const pod = { name, v4, v6, interface: link, prefix: ['ip', 'netns', 'exec', netns] };
    this.#pods.set(name, pod);
    run(['ip', 'netns', 'add', netns]);
    this.inHost('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
    this.inHost('ip', 'addr', 'add', '169.254.1.1/32', 'dev', link);
    this.inHost('ip', 'addr', 'add', 'fe80::1/64', 'dev', link, 'nodad');
    this.inHost('ip', 'link', 'set', link, 'up');
    this.inHost('ip', 'route', 'add', `${v4}/32`, 'dev', link);
    this.inHost('ip', '-6', 'route', 'add', `${v6}/128`, 'dev', link);
    const inPod = (...command: string[]): string => run([...pod.prefix, ...command]);
    inPod('ip', 'link', 'set', 'lo', 'up');
    inPod('ip', 'addr', 'add', `${v4}/32`, 'dev', 'eth0');
    inPod('ip', 'addr', 'add', `${v6}/128`, 'dev', 'eth0', 'nodad');
    inPod('ip', 'link', 'set', 'eth0', 'up');
    inPod('ip', 'route', 'add', '169.254.1.1', 'dev', 'eth0');
    inPod('ip', 'route', 'add', 'default', 'via', '169.254.1.1', 'dev', 'eth0');
    inPod('ip', '-6', 'route', 'add', 'default', 'via', 'fe80::1', 'dev', 'eth0');
    await this.#serve(pod);
    return pod;
  }

  dial(from: LabPod | 'host', dial: Dial): Outcome {
    return this.dialFor(from, dial).outcome;
  }

  dialFor(from: LabPod | 'host', dial: Dial): { outcome: Outcome; who: string } {
    return dialOnce(from === 'host' ? this.hostPrefix : from.prefix, dial);
  }

  inHost(...command: string[]): string {
    return run([...this.hostPrefix, ...command]);
  }

  /** Packets that the counter of this name counted, over all tables. */
  counted(counter: string): number {
    const listed = this.inHost('nft', 'list', 'counters');
    const counts = [...listed.matchAll(new RegExp(`counter ${counter} \\{\\s+packets (\\d+)`, 'g'))];
    return counts.reduce((sum, match) => sum + Number(match[1]), 0);
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    const pods = [...this.#pods.keys()].map((name) => `${this.#id}-${name}`);
    for (const name of [...pods, ...(this.#host === undefined ? [] : [this.#host])]) {
      try {
        run(['ip', 'netns', 'del', name]);
      } catch {
        // It was never made: opening stopped before it.
      }
    }
  }

  #serve(pod: LabPod): Promise<void> {
    const [command, ...args] = [...pod.prefix, process.execPath, '-e', echoServer, pod.name, '8080', '8081', '53'];
    const child = spawn(command ?? '', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    return new Promise((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', () => reject(new Error(`the server of pod ${pod.name} ended`)));
    });
  }
}

function run([command, ...args]: readonly string[]): string {
  return execFileSync(command ?? '', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 10_000 });
}
