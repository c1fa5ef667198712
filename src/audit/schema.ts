/** The audit tables as drizzle sees them; migrations/0002_audit.sql makes them and says what each is for. */
import { bigint, boolean, customType, pgTable, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 6 }).notNull();
const int8 = (name: string) => bigint(name, { mode: 'bigint' }).notNull();
const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** One row per request, and one per further stage that has an event. */
export const auditFacts = pgTable('audit_facts', {
  gateway: text('gateway').notNull(),
  epoch: int8('epoch'),
  sequence: int8('sequence'),
  receivedAt: instant('received_at'),
  finishedAt: instant('finished_at'),
  xact: int8('xact'),
  auditID: uuid('audit_id').notNull(),
  stage: text('stage').notNull(),
  level: text('level').notNull(),
  user: text('user_name').notNull(),
  groups: text('groups').array().notNull(),
  impersonator: text('impersonator').notNull(),
  authenticator: text('authenticator').notNull(),
  verb: text('verb').notNull(),
  isResource: boolean('is_resource').notNull(),
  group: text('api_group').notNull(),
  version: text('api_version').notNull(),
  resource: text('resource').notNull(),
  subresource: text('subresource').notNull(),
  namespace: text('namespace').notNull(),
  name: text('name').notNull(),
  requestURI: text('request_uri').notNull(),
  sourceIPs: text('source_ips').array().notNull(),
  userAgent: text('user_agent').notNull(),
  traceId: text('trace_id').notNull(),
  allowed: boolean('allowed').notNull(),
  reason: text('reason').notNull(),
  binding: text('binding').notNull(),
  code: smallint('code').notNull(),
  revision: bigint('revision', { mode: 'bigint' }),
});

/** The canonical bytes of the event that belongs to a fact. */
export const auditEvents = pgTable('audit_events', {
  gateway: text('gateway').notNull(),
  epoch: int8('epoch'),
  sequence: int8('sequence'),
  receivedAt: instant('received_at'),
  event: bytea('event').notNull(),
});
