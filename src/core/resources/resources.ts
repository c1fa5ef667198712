/**
 * The contract of the one write path, as the gateway uses it: authorized requests in, objects out. Everything below
 * the registry (decoding, defaulting, admission, validation, the store) is behind these few methods.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { AccessRequest } from '../../api/access.ts';
import type { User } from '../../api/user.ts';
import type { Stored } from '../store/store.ts';

/** What is addressed. `name` '' addresses the collection; `subresource` '' the object itself. */
export interface Target {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** A request body as it came, already within the size limit. */
export interface Body {
  readonly bytes: Buffer;
  /** Media type without parameters, lower case. */
  readonly contentType: string;
}

/** What a call carries from the request around it. `Row` is an audit row; this room never looks into one. */
export interface Call<Row = unknown> {
  readonly user: User;
  readonly signal: AbortSignal;
  /** Tells the client something it should know (a `Warning` header), at most once each. */
  warn(text: string): void;
  /** Notes `value` in the audit event of the request. */
  annotate(key: string, value: string): void;
  /** Rows to commit with a change. Called with what is about to be written; `object` undefined for a deletion that finishes. */
  record(change: {
    readonly code: number;
    readonly revision: bigint;
    readonly object: KubeObject | undefined;
  }): readonly Row[];
  /** Lets the audit event show the request's object after decoding. */
  requestObject(object: unknown): void;
  /** May the caller do this as well? For what a write implies (escalation, create by update). False also on error. */
  allowed(request: Omit<Extract<AccessRequest, { kind: 'resource' }>, 'kind' | 'user'>): Promise<boolean>;
}

export interface ReadOptions {
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
}

export interface ListOptions extends ReadOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** 0 is no limit. */
  readonly limit: number;
  readonly continue: string;
}

export interface WatchOptions extends ListOptions {
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutSeconds: number | undefined;
}

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  readonly force: boolean;
}

export interface ListResult {
  readonly items: readonly Stored[];
  readonly resourceVersion: string;
  /** '' at the end. */
  readonly continue: string;
  readonly remainingItemCount: number | undefined;
}

/** The answer to a write: the object as it now is (for a dry run, as it would be), or a Status (finished deletions). */
export interface Written {
  /** 200 or 201. */
  readonly code: number;
  readonly object: KubeObject;
}

export type WatchItem =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly stored: Stored }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEventsEnd: boolean };

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

/** Every method throws StatusError (NotFound, Conflict, Invalid, Expired, Forbidden by admission …). */
export interface Resources<Row = unknown> {
  get(call: Call<Row>, target: Target, options: ReadOptions): Promise<Stored>;
  list(call: Call<Row>, target: Target, options: ListOptions): Promise<ListResult>;
  /** Ends when the call's signal aborts, or after timeoutSeconds. Throws Expired (410) before the first item or between items. */
  watch(call: Call<Row>, target: Target, options: WatchOptions): AsyncIterable<WatchItem>;
  create(call: Call<Row>, target: Target, body: Body, options: WriteOptions): Promise<Written>;
  update(call: Call<Row>, target: Target, body: Body, options: WriteOptions): Promise<Written>;
  patch(call: Call<Row>, target: Target, type: PatchType, body: Body, options: WriteOptions): Promise<Written>;
  /** The body may be empty: a DeleteOptions otherwise. */
  delete(call: Call<Row>, target: Target, body: Body, options: WriteOptions): Promise<Written>;
  deleteCollection(
    call: Call<Row>,
    target: Target,
    body: Body,
    list: ListOptions,
    options: WriteOptions,
  ): Promise<ListResult>;
}
