/**
 * The contract between a request and its record. The gateway opens a `Recording` as soon as a request has a path, tells
 * it what is learned on the way, and closes it exactly once, by one of two doors: `changeRows` when a change commits
 * (the rows ride in its transaction), `finish` for everything else.
 */
import type { Clock } from '../std/clock.ts';
import type { Decision, Grant } from '../api/access.ts';
import type { User } from '../api/user.ts';
import { newAuditId } from './audit-id.ts';
import { mustBeDurable } from './durability.ts';
import { eventBytes } from './event.ts';
import { levelFor } from './policy.ts';
import type { AuditLevel, AuditPolicy, AuditStage, LevelAnswer } from './policy.ts';
import { redactText, redactURI } from './redact.ts';

/** What is known of a request before anyone is authenticated. */
export interface RequestFacts {
  readonly verb: string;
  /** Path and query as sent, tokens already taken out. */
  readonly requestURI: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
  /** W3C trace id of the request, or ''. */
  readonly traceId: string;
}

/** One row of the trail: an event where the policy wants one, and the fact row that every request leaves. */
export interface AuditRow {
  readonly gateway: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
  /** Canonical JSON of the audit.k8s.io/v1 event, or undefined when the policy asks for none. */
  readonly event: Buffer | undefined;
  readonly fact: Fact;
}

/** The narrow row. Times are milliseconds since the epoch. */
export interface Fact extends RequestFacts {
  readonly auditID: string;
  /** ResponseComplete for almost all; a request that goes on has a row at its start too. */
  readonly stage: AuditStage;
  /** What the policy asked for; None means that there is no event beside the fact. */
  readonly level: AuditLevel;
  readonly receivedAt: number;
  readonly finishedAt: number;
  readonly user: string;
  readonly groups: readonly string[];
  /** Who really asked, when the user is impersonated; '' otherwise. */
  readonly impersonator: string;
  /** How they proved it: certificate, service-account, anonymous … */
  readonly authenticator: string;
  readonly allowed: boolean;
  readonly reason: string;
  /** `RoleBinding NAMESPACE/NAME`, `ClusterRoleBinding NAME`, or '' */
  readonly binding: string;
  readonly code: number;
  /** Revision of the change, or undefined when nothing changed. */
  readonly revision: bigint | undefined;
}

export interface Recording {
  readonly auditID: string;
  authenticated(user: User, authenticator: string): void;
  impersonated(user: User): void;
  decided(decision: Decision): void;
  requestObject(object: unknown): void;
  responseObject(object: unknown): void;
  annotate(key: string, value: string): void;
  /** The rows of a change that is about to commit with `revision`. After this `finish` has nothing more to do unless the write failed. */
  changeRows(code: number, revision: bigint): readonly AuditRow[];
  /** The change did not commit after all: its rows are void, `finish` records what is answered instead. */
  changeFailed(): void;
  /** The request ended in a bug: its last stage is Panic. */
  panicked(): void;
  /** For long-running requests and those that must be durable before they act (exec): an event now, the request goes on. */
  started(code: number): Promise<void>;
  /**
   * The request was answered with `code`. Resolves when the record is as durable as its class demands: refusals, secret
   * reads, tokens and impersonation when committed; other reads at once, their rows follow. Throws ServiceUnavailable
   * when the record cannot be kept and must be.
   */
  finish(code: number): Promise<void>;
}

export interface Recorder {
  begin(facts: RequestFacts): Recording;
}

/** Where finished rows go. */
export interface RowSink {
  /** Resolves when `row` is committed. Throws ServiceUnavailable when that cannot be done within the sink's deadline. */
  durable(row: AuditRow): Promise<void>;
  /** Takes `row` to be written soon; a row that finds no room is counted in a gap record. */
  lazy(row: AuditRow): void;
}

/** What a recorder needs. `epoch` is fresh for each start of the gateway (`openChain`). */
export interface RecorderOptions {
  /** Asked for each request, so that a reloaded policy counts from the next request on. */
  readonly policy: AuditPolicy | (() => AuditPolicy);
  readonly sink: RowSink;
  readonly gatewayId: string;
  readonly epoch: bigint;
  readonly clock: Pick<Clock, 'now'>;
  /** Default: a UUID that begins with the time, which makes finding a row by its id cheap. */
  readonly newId?: (receivedAt: number) => string;
}

/** A recorder that numbers its rows from 1, without holes but for changes that did not commit and were never finished. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { policy, newId = newAuditId } = options;
  const currentPolicy = typeof policy === 'function' ? policy : (): AuditPolicy => policy;
  let last = 0n;
  const chain: Chain = { ...options, nextSequence: () => ++last };
  return {
    begin: (facts) => {
      const receivedAt = options.clock.now();
      return new OpenRecording(chain, currentPolicy(), facts, newId(receivedAt), receivedAt);
    },
  };
}

interface Chain extends Pick<RecorderOptions, 'sink' | 'gatewayId' | 'epoch' | 'clock'> {
  nextSequence(): bigint;
}

const nobody: User = { name: '', uid: '', groups: [], extra: {} };

class OpenRecording implements Recording {
  readonly auditID: string;
  readonly #chain: Chain;
  readonly #policy: AuditPolicy;
  readonly #facts: RequestFacts;
  readonly #receivedAt: number;
  #user: User | undefined;
  #impersonated: User | undefined;
  #authenticator = '';
  #decision: Decision | undefined;
  #requestObject: unknown;
  #responseObject: unknown;
  #annotations: Record<string, string> | undefined;
  #answer: LevelAnswer | undefined;
  /** Sequence numbers of changes by revision, in the order they were asked for: a batch tried again keeps its numbers. */
  #changes: Map<bigint, bigint> | undefined;
  #changeCode = 0;
  /** Numbers of changes that did not commit: the rows that say what happened instead take them. */
  #free: bigint[] | undefined;
  #panicked = false;
  #finished = false;

  constructor(chain: Chain, policy: AuditPolicy, facts: RequestFacts, auditID: string, receivedAt: number) {
    this.#chain = chain;
    this.#policy = policy;
    this.#facts = facts;
    this.auditID = auditID;
    this.#receivedAt = receivedAt;
  }

  authenticated(user: User, authenticator: string): void {
    this.#user = user;
    this.#authenticator = authenticator;
    const answer = this.#levelAnswer();
    if (answer.level === 'None' || answer.omitStages.includes('RequestReceived')) return;
    this.#chain.sink.lazy(this.#row('RequestReceived', 0, undefined));
  }

  impersonated(user: User): void {
    this.#impersonated = user;
  }

  decided(decision: Decision): void {
    this.#decision = decision;
  }

  requestObject(object: unknown): void {
    this.#requestObject = object;
  }

  responseObject(object: unknown): void {
    this.#responseObject = object;
  }

  annotate(key: string, value: string): void {
    this.#annotations ??= {};
    this.#annotations[key] = redactText(value);
  }

  changeRows(code: number, revision: bigint): readonly AuditRow[] {
    this.#changes ??= new Map();
    const sequence = this.#changes.get(revision) ?? this.#takeSequence();
    this.#changes.set(revision, sequence);
    this.#changeCode = code;
    return [this.#row('ResponseComplete', code, revision, sequence)];
  }

  changeFailed(): void {
    const last = [...(this.#changes ?? [])].at(-1);
    if (last === undefined) return;
    const [revision, sequence] = last;
    this.#changes?.delete(revision);
    this.#free ??= [];
    this.#free.push(sequence);
  }

  panicked(): void {
    this.#panicked = true;
  }

  async started(code: number): Promise<void> {
    const durable = this.#durable(code);
    const answer = this.#levelAnswer();
    const wanted = answer.level !== 'None' && !answer.omitStages.includes('ResponseStarted');
    if (!durable && !wanted) return;
    await this.#keep(this.#row('ResponseStarted', code, undefined), durable);
  }

  async finish(code: number): Promise<void> {
    if (this.#finished) return;
    this.#finished = true;
    const recorded = this.#changes !== undefined && this.#changes.size > 0 && this.#changeCode === code;
    if (recorded && !this.#panicked) return;
    const stage = this.#panicked ? 'Panic' : 'ResponseComplete';
    await this.#keep(this.#row(stage, code, undefined), this.#durable(code));
  }

  #keep(row: AuditRow, durable: boolean): Promise<void> | void {
    if (durable) return this.#chain.sink.durable(row);
    return this.#chain.sink.lazy(row);
  }

  #durable(code: number): boolean {
    return mustBeDurable(this.#facts, {
      code,
      allowed: this.#decision?.allowed === true,
      impersonated: this.#impersonated !== undefined,
    });
  }

  #takeSequence(): bigint {
    return this.#free?.pop() ?? this.#chain.nextSequence();
  }

  #levelAnswer(): LevelAnswer {
    if (this.#answer !== undefined) return this.#answer;
    const { verb, isResource, group, resource, subresource, namespace, name, requestURI } = this.#facts;
    const mark = requestURI.indexOf('?');
    const answer = levelFor(this.#policy, {
      user: this.#user, // who really asks: an impersonator cannot choose a quieter rule
      verb,
      isResource,
      group,
      resource,
      subresource,
      namespace,
      name,
      path: mark < 0 ? requestURI : requestURI.slice(0, mark),
    });
    if (this.#user !== undefined) this.#answer = answer;
    return answer;
  }

  #row(stage: AuditStage, code: number, revision: bigint | undefined, sequence = this.#takeSequence()): AuditRow {
    const now = this.#chain.clock.now();
    return {
      gateway: this.#chain.gatewayId,
      epoch: this.#chain.epoch,
      sequence,
      event: this.#event(stage, code, now),
      fact: this.#fact(stage, code, revision, now),
    };
  }

  #fact(stage: AuditStage, code: number, revision: bigint | undefined, now: number): Fact {
    const facts = this.#facts;
    const user = this.#impersonated ?? this.#user ?? nobody;
    const decision = this.#decision;
    return {
      auditID: this.auditID,
      stage,
      level: this.#levelAnswer().level,
      receivedAt: this.#receivedAt,
      finishedAt: now,
      user: user.name,
      groups: user.groups,
      impersonator: this.#impersonated === undefined ? '' : (this.#user?.name ?? ''),
      authenticator: this.#authenticator,
      verb: facts.verb,
      requestURI: redactURI(facts.requestURI),
      isResource: facts.isResource,
      group: facts.group,
      version: facts.version,
      resource: facts.resource,
      subresource: facts.subresource,
      namespace: facts.namespace,
      name: facts.name,
      sourceIPs: facts.sourceIPs,
      userAgent: redactText(facts.userAgent),
      traceId: facts.traceId,
      allowed: decision?.allowed === true,
      reason: decision?.reason ?? '',
      binding: decision?.allowed === true ? bindingOf(decision.grant) : '',
      code,
      revision,
    };
  }

  #event(stage: AuditStage, code: number, now: number): Buffer | undefined {
    const answer = this.#levelAnswer();
    if (answer.level === 'None') return undefined; // most reads: nothing is built for them
    return eventBytes({
      answer,
      stage,
      auditID: this.auditID,
      facts: this.#facts,
      user: this.#user ?? nobody,
      impersonated: this.#impersonated,
      code: stage === 'RequestReceived' ? undefined : code,
      requestObject: this.#requestObject,
      responseObject: this.#responseObject,
      receivedAt: this.#receivedAt,
      stageAt: now,
      annotations: { ...this.#standardAnnotations(), ...this.#annotations },
    });
  }

  #standardAnnotations(): Readonly<Record<string, string>> {
    const decision = this.#decision;
    const binding = decision?.allowed === true ? bindingOf(decision.grant) : '';
    return {
      ...(decision === undefined
        ? {}
        : {
            'authorization.k8s.io/decision': decision.allowed ? 'allow' : 'forbid',
            'authorization.k8s.io/reason': decision.reason,
          }),
      ...(binding === '' ? {} : { 'audit.gatehouse.dev/binding': binding }),
      ...(this.#authenticator === '' ? {} : { 'audit.gatehouse.dev/authenticator': this.#authenticator }),
      ...(this.#facts.traceId === '' ? {} : { 'audit.gatehouse.dev/trace-id': this.#facts.traceId }),
    };
  }
}

function bindingOf({ bindingKind, bindingNamespace, binding }: Grant): string {
  if (bindingKind === 'builtin') return '';
  return bindingKind === 'RoleBinding' ? `RoleBinding ${bindingNamespace}/${binding}` : `ClusterRoleBinding ${binding}`;
}
