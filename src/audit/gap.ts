/** What was lost since the last gap record: counted, so that the trail says itself where it is not whole. */
import type { Statement } from './insert.ts';
import type { AuditRow } from './recorder.ts';

/** A gap on its way to the database. */
export interface GapRecord {
  readonly statement: Statement;
  /** It could not be written: it counts again. */
  putBack(): void;
}

export interface Gap {
  lose(row: AuditRow, reason: string): void;
  /** The gap so far, which is forgotten unless put back; undefined when nothing was lost. */
  take(): GapRecord | undefined;
  /** All rows ever lost. */
  lost(): number;
}

interface Span {
  readonly gateway: string;
  readonly epoch: bigint;
  readonly first: bigint;
  readonly last: bigint;
  readonly lost: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly reason: string;
}

const text = `INSERT INTO audit_gaps
  (gateway, epoch, first_sequence, last_sequence, lost, first_at, last_at, reason)
VALUES ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), to_timestamp($7::float8 / 1000), $8)
ON CONFLICT DO NOTHING`;

/** No gap yet. */
export function createGap(): Gap {
  let open: Span | undefined;
  let total = 0;
  return {
    lose: (row, reason) => {
      total++;
      open = merge(open, spanOf(row, reason));
    },
    take: () => {
      const taken = open;
      if (taken === undefined) return undefined;
      open = undefined;
      return {
        statement: { name: 'audit_gap', text, values: valuesOf(taken) },
        putBack: () => {
          open = merge(open, taken);
        },
      };
    },
    lost: () => total,
  };
}

function spanOf({ gateway, epoch, sequence, fact }: AuditRow, reason: string): Span {
  const at = fact.receivedAt;
  return { gateway, epoch, first: sequence, last: sequence, lost: 1, firstAt: at, lastAt: at, reason };
}

function merge(a: Span | undefined, b: Span): Span {
  if (a === undefined) return b;
  return {
    ...a,
    first: a.first < b.first ? a.first : b.first,
    last: a.last > b.last ? a.last : b.last,
    lost: a.lost + b.lost,
    firstAt: Math.min(a.firstAt, b.firstAt),
    lastAt: Math.max(a.lastAt, b.lastAt),
    reason: a.reason === b.reason ? a.reason : 'several',
  };
}

function valuesOf(span: Span): unknown[] {
  const { gateway, epoch, first, last, lost, firstAt, lastAt, reason } = span;
  return [gateway, epoch.toString(), first.toString(), last.toString(), lost, firstAt, lastAt, reason];
}
