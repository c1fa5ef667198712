/**
 * What a node agent asks of whatever runs its containers. Three things stand behind it: `process` (programs of the
 * host in namespaces of their own), `hollow` (pretends) and `cri`. A sandbox is one pod's network and name; a container
 * is one attempt at running one of its programs. Ids are derived from pod uid, container name and attempt, so that
 * asking twice for the same attempt never starts it twice.
 */
import type { Duplex, Readable, Writable } from 'node:stream';

/** How a pod reaches the network. `address` is the pod's own IPv4 address, handed out by the caller from the node's podCIDR. */
export type PodNetwork =
  | { readonly kind: 'routed'; readonly address: string }
  | { readonly kind: 'host' }
  | { readonly kind: 'none' };

export interface SandboxSpec {
  /** The pod's uid; also the sandbox's id. Letters, digits and hyphens, at most 64. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly network: PodNetwork;
  /** The texts of the pod's /etc/hosts and /etc/resolv.conf. */
  readonly hosts: string;
  readonly resolvConf: string;
}

export interface Sandbox {
  readonly id: string;
  readonly spec: SandboxSpec;
  /** The pod's address, when it has one of its own. */
  readonly address?: string;
  /** The host's end of the pod's link (routed networks): what a data plane hangs its rules on. */
  readonly hostInterface?: string;
  /**
   * What to add to an id inside the pod to get the id on the host: who must own a volume's files for the pod's user to
   * reach them. Ids above 65534 all stand at `idOffset + 65535`. 0 when ids are the host's own.
   */
  readonly idOffset: number;
}

/** One folder or file of the host, seen at `path` inside. `hostPath` must be real: no symbolic link in it. */
export interface Mount {
  readonly hostPath: string;
  readonly path: string;
  readonly readOnly: boolean;
  /**
   * The part of the folder that is seen, instead of all of it: relative, no `.` or `..`. Links on the way are followed,
   * and a container whose part does not lie in `hostPath` then is not started.
   */
  readonly subPath?: string;
}

export interface ContainerLimits {
  readonly memoryBytes?: number;
  readonly cpuMillis?: number;
  readonly pids?: number;
}

export interface ContainerSpec {
  /** Id of a sandbox that exists. */
  readonly sandbox: string;
  readonly name: string;
  /** 0 for the first start, one more for every restart. */
  readonly attempt: number;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly workingDir?: string;
  readonly mounts: readonly Mount[];
  /** Ids as the pod sees them. Left out: `defaultUser`. */
  readonly user?: number;
  readonly group?: number;
  readonly supplementalGroups?: readonly number[];
  readonly limits: ContainerLimits;
  /** Keeps standard input open for attach. */
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

/** The user and group of a container that names none: an ordinary user that owns nothing. */
export const defaultUser = 65532;

/** How a container ended. `unknown`: it is gone, and nobody saw how (its machine or its shim died). */
export type ContainerState =
  | { readonly kind: 'running'; readonly startedAt: number }
  | { readonly kind: 'exited'; readonly startedAt: number; readonly finishedAt: number; readonly exitCode: number }
  | { readonly kind: 'unknown'; readonly startedAt: number; readonly finishedAt: number };

export interface Container {
  /** `<pod uid>.<container name>.<attempt>`. */
  readonly id: string;
  readonly sandbox: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  /** Process id on the host, where there is a process. */
  readonly pid?: number;
  readonly state: ContainerState;
  readonly logPath: string;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** A program running inside a container, or a connection to the container's own streams. */
export interface ExecSession {
  /** Absent when no input was asked for. Ending it is end of file for the program. */
  readonly stdin?: Writable;
  readonly stdout: Readable;
  /** Empty with a tty: a terminal has one stream. */
  readonly stderr: Readable;
  /** The exit code; 137 and the like for signals. Resolves after the streams have ended. */
  readonly exit: Promise<number>;
  /** The terminal's new size. Does nothing without a tty. */
  resize(columns: number, rows: number): void;
  /** Ends the program (exec) or the connection (attach); safe to call at any time. */
  close(): void;
}

export interface LogOptions {
  readonly tailLines?: number;
  /** Milliseconds since the epoch. */
  readonly sinceTime?: number;
  readonly limitBytes?: number;
  /** Puts each line's time before it. */
  readonly timestamps?: boolean;
  /** Waits for more until the container has exited and all of it is sent. */
  readonly follow?: boolean;
}

export interface Usage {
  /** Processor time used since the start, nanoseconds. */
  readonly cpuNanoseconds: number;
  /** Memory that cannot be dropped at will: what limits are compared with. */
  readonly workingSetBytes: number;
}

/** What this runtime can keep apart here, and why not more: for the node's condition and events. */
export interface Isolation {
  /** `user`: the pod's ids are not the host's (root's way). `shared`: every pod runs as the agent's own user. */
  readonly ids: 'user' | 'shared';
  readonly filesystem: boolean;
  readonly network: boolean;
  readonly processes: boolean;
  readonly limits: boolean;
  /** One sentence for each thing that is not isolated. */
  readonly missing: readonly string[];
}

export interface Runtime {
  readonly name: string;
  readonly isolation: Isolation;
  /** Makes the pod's sandbox, or finds it made. Throws RuntimeError `Unsupported` for what cannot be given here. */
  createSandbox(spec: SandboxSpec): Promise<Sandbox>;
  /** Removes the sandbox with all its containers (killed if they run). Does nothing when there is none. */
  removeSandbox(id: string): Promise<void>;
  /** Starts one attempt and returns it running. Throws RuntimeError; an attempt that failed to start leaves nothing behind. */
  startContainer(spec: ContainerSpec): Promise<Container>;
  /** TERM, then after `graceMs` KILL to all of it; returns when it is gone. */
  stopContainer(id: string, graceMs: number): Promise<Container>;
  /** Forgets an attempt and removes its files and logs; kills it if it runs. */
  removeContainer(id: string): Promise<void>;
  /** All that is here, also what an earlier agent started. */
  list(): Promise<{ readonly sandboxes: readonly Sandbox[]; readonly containers: readonly Container[] }>;
  /** Calls `listener` once for each container that ends from now on; returns the way to stop that. */
  onExit(listener: (container: Container) => void): () => void;
  /** Resolves when the container has ended (at once if it has); rejects with the signal's reason. */
  wait(id: string, signal: AbortSignal): Promise<Container>;
  exec(id: string, request: ExecRequest): Promise<ExecSession>;
  attach(id: string, request: Omit<ExecRequest, 'command'>): Promise<ExecSession>;
  /** The log's bytes as `kubectl logs` shows them. The previous attempt is read by its own id. */
  readLogs(id: string, options: LogOptions, signal: AbortSignal): AsyncIterable<Buffer>;
  /** A connection to `port` of the sandbox's own loopback. Throws Unreachable, NotFound, or Unsupported. */
  dial(sandbox: string, port: number): Promise<Duplex>;
  usage(id: string): Promise<Usage | undefined>;
  /** Removes every sandbox whose id is not in `keep`, and what half-made ones left. */
  prune(keep: ReadonlySet<string>): Promise<void>;
  /** Lets go. Containers go on running; a successor finds them by `list`. */
  stop(): Promise<void>;
}

/**
 * - `ImageWithoutCommand`: nothing to run. - `Unsupported`: this machine cannot give what was asked.
 * - `InvalidContainer`: a value that can never work. - `StartFailed`: it could not be started this time.
 * - `NotFound`, `AlreadyExists`, `NotRunning`: about ids. - `Unreachable`: nothing answers at that port.
 * - `CreateContainerConfigError`, `FailedMount`: something that the pod refers to is missing (said by the agent, not by runtimes).
 */
export type RuntimeReason =
  | 'ImageWithoutCommand'
  | 'Unsupported'
  | 'InvalidContainer'
  | 'StartFailed'
  | 'NotFound'
  | 'AlreadyExists'
  | 'NotRunning'
  | 'Unreachable'
  | 'CreateContainerConfigError'
  | 'FailedMount';

/** A failure to show in a pod's status and events: `reason` is the waiting reason, `message` says what to do. */
export class RuntimeError extends Error {
  readonly reason: RuntimeReason;

  constructor(reason: RuntimeReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RuntimeError';
    this.reason = reason;
  }
}

/** The id of one attempt. */
export function containerId(sandbox: string, name: string, attempt: number): string {
  return `${sandbox}.${name}.${attempt}`;
}

/** What must hold of any container before a runtime looks at it. Throws InvalidContainer, ImageWithoutCommand. */
export function checkContainer(spec: ContainerSpec): void {
  const bad = (what: string): RuntimeError => new RuntimeError('InvalidContainer', `container ${spec.name}: ${what}`);
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(spec.name)) throw bad('its name is no DNS label');
  if (!Number.isSafeInteger(spec.attempt) || spec.attempt < 0) throw bad('its attempt is no count');
  for (const id of [spec.user, spec.group, ...(spec.supplementalGroups ?? [])]) {
    if (id !== undefined && (!Number.isInteger(id) || id < 0 || id > 2 ** 31 - 1))
      throw bad(`${id} is no user or group id`);
  }
  const texts = [...spec.command, ...spec.args, ...spec.env.map(({ name, value }) => `${name}=${value}`)];
  if (texts.some((text) => text.includes('\0'))) throw bad('command, args and env cannot hold a NUL character');
  if (spec.env.some(({ name }) => name === '' || name.includes('='))) throw bad('an env name is empty or holds "="');
  for (const { path, hostPath, subPath = 'x' } of spec.mounts) {
    if (subPath.startsWith('/') || !isCleanPath(`/${subPath}`)) throw bad(`subPath ${subPath} does not go down`);
    if (!isCleanPath(path) || path === '/')
      throw bad(`mount path ${path} must be absolute, without . or .., and not /`);
    if (!isCleanPath(hostPath)) throw bad('the source of a mount is not an absolute path');
  }
  if (spec.workingDir !== undefined && !spec.workingDir.startsWith('/')) throw bad('workingDir must be absolute');
}

/** Throws unless `uid` can name a sandbox: it becomes the name of a folder. */
export function checkSandboxId(uid: string): void {
  if (!/^[A-Za-z0-9]([-A-Za-z0-9]{0,62}[A-Za-z0-9])?$/.test(uid)) {
    throw new RuntimeError('InvalidContainer', 'a pod uid is letters, digits and hyphens, at most 64');
  }
}

function isCleanPath(path: string): boolean {
  const parts = path.replace(/\/+$/, '').split('/').slice(1);
  return path.startsWith('/') && !parts.some((part) => part === '.' || part === '..' || part === '');
}
