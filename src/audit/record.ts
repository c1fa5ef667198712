/** A fact row as the API shows it, and what can be asked of the rows. Times are RFC 3339 in UTC with microseconds. */
import { rfc3339, rfc3339Micro } from '../std/clock.ts';
import type { auditFacts } from './schema.ts';

export const auditGroup = 'audit.gatehouse.dev';
const apiVersion = `${auditGroup}/v1`;

/** One request, or one stage of it. `group`, `resource` … are '' for a request that is for no resource. */
export interface AuditRecord {
  readonly apiVersion: string;
  readonly kind: 'AuditRecord';
  /** `name` is the audit id, which the stages of one request share. */
  readonly metadata: { readonly name: string; readonly creationTimestamp: string };
  readonly stage: string;
  readonly level: string;
  readonly receivedAt: string;
  readonly finishedAt: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly impersonator: string;
  readonly authenticator: string;
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly requestURI: string;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
  readonly traceId: string;
  readonly decision: 'allow' | 'forbid';
  readonly reason: string;
  readonly binding: string;
  readonly code: number;
  /** The change's revision; '' when nothing changed. */
  readonly revision: string;
  readonly gateway: string;
  readonly epoch: string;
  readonly sequence: string;
}

export interface AuditRecordList {
  readonly apiVersion: string;
  readonly kind: 'AuditRecordList';
  readonly metadata: { readonly continue: string };
  readonly items: readonly AuditRecord[];
}

/** Everything kept of one request: its rows and its events, in the order they were made. */
export interface AuditDetail {
  readonly apiVersion: string;
  readonly kind: 'AuditDetail';
  readonly metadata: { readonly name: string };
  readonly records: readonly AuditRecord[];
  /** audit.k8s.io/v1 Events; empty where the policy asked for none. */
  readonly events: readonly unknown[];
}

type FactRow = typeof auditFacts.$inferSelect;

/** The record of `row`. */
export function toRecord(row: FactRow): AuditRecord {
  const { xact: _xact, auditID, receivedAt, finishedAt, isResource: _isResource, allowed, ...rest } = row;
  return {
    apiVersion,
    kind: 'AuditRecord',
    metadata: { name: auditID, creationTimestamp: rfc3339(receivedAt.getTime()) },
    ...rest,
    receivedAt: rfc3339Micro(receivedAt.getTime()),
    finishedAt: rfc3339Micro(finishedAt.getTime()),
    decision: allowed ? 'allow' : 'forbid',
    revision: row.revision?.toString() ?? '',
    epoch: row.epoch.toString(),
    sequence: row.sequence.toString(),
  };
}

export function toList(items: readonly AuditRecord[], next: string): AuditRecordList {
  return { apiVersion, kind: 'AuditRecordList', metadata: { continue: next }, items };
}

export function toDetail(name: string, records: readonly AuditRecord[], events: readonly unknown[]): AuditDetail {
  return { apiVersion, kind: 'AuditDetail', metadata: { name }, records, events };
}
