/** Objects as a Table, the form in which kubectl asks for what it prints. Source: Kubernetes API concepts, "Table fetches". */
import type { KubeObject } from '../meta.ts';
import type { Table } from '../types/meta.ts';
import { columnsTable, plainColumns } from './columns-table.ts';
import type { Column } from './columns-table.ts';
import type { ResourceType } from './kinds.ts';

export interface TableOptions {
  /** What stands beside the cells of a row: nothing, the metadata (the default of clients), or the object. */
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** The instant that ages are counted to, in milliseconds. */
  readonly now: number;
  /** The list's metadata: resourceVersion, continue, remainingItemCount. */
  readonly metadata: NonNullable<Table['metadata']>;
  /** False in the events of a watch after the first: the client has the columns already. */
  readonly withColumns?: boolean;
}

type TableType = Pick<ResourceType, 'group' | 'resource' | 'custom'>;

/** The columns that objects of `type` are shown in. */
export function columnsOf(type: TableType): readonly Column[] {
  return type.custom?.columns ?? columnsTable.get(`${type.group}/${type.resource}`) ?? plainColumns;
}

/** `items` as rows, in their order. */
export function toTable(
  type: TableType,
  items: readonly KubeObject[],
  { includeObject, now, metadata, withColumns = true }: TableOptions,
): Table {
  const columns = columnsOf(type);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withColumns ? columns.map(definition) : [],
    rows: items.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      ...beside(object, includeObject),
    })),
  };
}

function definition({ name, type, format, description, wide, priority }: Column): Table['columnDefinitions'][number] {
  return { name, type, format, description, priority: priority ?? (wide ? 1 : 0) };
}

function beside(object: KubeObject, include: TableOptions['includeObject']): { readonly object?: unknown } {
  switch (include) {
    case 'None':
      return {};
    case 'Metadata':
      return { object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata } };
    case 'Object':
      return { object };
  }
}
