/**
 * The contract between a request and its record. The gateway opens a `Recording` as soon as a request has a path, tells
 * it what is learned on the way, and closes it exactly once, by one of two doors: `changeRows` when a change commits
 * (the rows ride in its transaction), `finish` for everything else.
 */
import type { Decision } from '../api/access.ts';
import type { User } from '../api/user.ts';

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
