/** Objects as the client wants to see them: whole, as a Table, or their metadata alone. Bytes that exist are sent as they are. */
import type { ResourceType } from '../../api/schema/kinds.ts';
import type { KubeObject } from '../../api/meta.ts';
import type { Stored } from '../../core/store/store.ts';
import type { ListResult } from '../../core/resources/resources.ts';
import type { WholeAnswer } from '../inbound.ts';
import { notAcceptable, type Format } from '../negotiate.ts';

export type TableFormat = Extract<Format, { kind: 'table' }>;

/** Makes the Table of some objects of one type; `of` is the list's metadata, or undefined for a single object. */
export type TableMaker = (
  type: ResourceType,
  objects: readonly KubeObject[],
  options: { readonly format: TableFormat; readonly list: ListMeta | undefined; readonly now: number },
) => object;

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface Rendering {
  readonly type: ResourceType;
  readonly format: Format;
  readonly pretty: boolean;
  readonly now: number;
  readonly table: TableMaker;
}

/** One object. `json` are its bytes where they exist. A Status is shown as itself whatever was asked for. */
export function renderObject(code: number, object: KubeObject, json: Buffer | undefined, as: Rendering): WholeAnswer {
  const { format } = as;
  if (format.kind === 'object' || object.kind === 'Status')
    return jsonBody(code, json ?? JSON.stringify(object), as.pretty);
  return jsonBody(code, JSON.stringify(converted(object, format, as)), as.pretty);
}

/** A list, joined from the bytes of its items. */
export function renderList(result: ListResult, as: Rendering): WholeAnswer {
  const { type, format } = as;
  const meta = listMeta(result);
  switch (format.kind) {
    case 'object': {
      const head = { kind: type.listKind, apiVersion: type.apiVersion, metadata: meta };
      return jsonBody(200, joined(head, result.items), as.pretty);
    }
    case 'table': {
      const objects = result.items.map(({ object }) => object);
      return jsonBody(200, JSON.stringify(as.table(type, objects, { format, list: meta, now: as.now })), as.pretty);
    }
    case 'metadata': {
      const items = result.items.map(({ object }) => metadataOf(object, format.version));
      const list = {
        kind: 'PartialObjectMetadataList',
        apiVersion: `meta.k8s.io/${format.version}`,
        metadata: meta,
        items,
      };
      return jsonBody(200, JSON.stringify(list), as.pretty);
    }
  }
}

/** The object of a watch event in `format`, as JSON. */
export function renderEventObject(stored: Stored, as: Rendering): Buffer | string {
  return as.format.kind === 'object' ? stored.json : JSON.stringify(converted(stored.object, as.format, as));
}

function converted(object: KubeObject, format: Exclude<Format, { kind: 'object' }>, as: Rendering): object {
  if (format.kind === 'metadata') return metadataOf(object, format.version);
  if (object.kind !== as.type.kind) throw notAcceptable(['application/json']);
  return as.table(as.type, [object], { format, list: undefined, now: as.now });
}

function metadataOf(object: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

function listMeta(result: ListResult): ListMeta {
  return {
    resourceVersion: result.resourceVersion,
    ...(result.continue === '' ? {} : { continue: result.continue }),
    ...(result.remainingItemCount === undefined || result.remainingItemCount === 0
      ? {}
      : { remainingItemCount: result.remainingItemCount }),
  };
}

const comma = Buffer.from(',');

function joined(head: object, items: readonly Stored[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)];
  items.forEach(({ json }, i) => {
    if (i > 0) parts.push(comma);
    parts.push(json);
  });
  parts.push(Buffer.from(']}'));
  return Buffer.concat(parts);
}

function jsonBody(code: number, body: Buffer | string, pretty: boolean): WholeAnswer {
  const shown = pretty ? `${JSON.stringify(JSON.parse(body.toString()), null, 2)}\n` : body;
  return { kind: 'whole', code, contentType: 'application/json', body: shown };
}
