/** The columns of a custom kind: the name, and what its definition asks for. Source: CustomResourceColumnDefinition. */
import { parseInstant } from '../../../std/clock.ts';
import { fieldsOf, listOf, textOf } from '../../../std/value.ts';
import { humanDuration } from '../cells.ts';
import type { Value } from '../cells.ts';
import type { Column } from '../columns-table.ts';
import { parseJsonPath, valuesAt } from './json-path.ts';

const name: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'The name, unique among its kind in the namespace.',
  wide: false,
  cell: (object) => textOf(fieldsOf(object['metadata'])['name']),
};

const age = {
  name: 'Age',
  type: 'date',
  description: 'How long ago it was created.',
  jsonPath: '.metadata.creationTimestamp',
};

/** The columns for `declared` (additionalPrinterColumns of a version); name and age where nothing is declared. */
export function customColumns(declared: unknown): readonly Column[] {
  const wanted = listOf(declared).map(fieldsOf);
  return [name, ...(wanted.length === 0 ? [age] : wanted).map(column)];
}

function column(declared: Readonly<Record<string, unknown>>): Column {
  const type = textOf(declared['type']);
  const path = parseJsonPath(textOf(declared['jsonPath']));
  const priority = typeof declared['priority'] === 'number' ? declared['priority'] : 0;
  return {
    name: textOf(declared['name']),
    type,
    format: textOf(declared['format']),
    description: textOf(declared['description']),
    wide: priority > 0,
    priority,
    cell: (object, now) => {
      const value = path === undefined ? undefined : valuesAt(path, object)[0];
      return value === undefined || value === null ? null : cellOf(type, value, now);
    },
  };
}

/** `value` in a column of `type`; null (shown as nothing) where it is of another. */
function cellOf(type: string, value: unknown, now: number): Value | null {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : JSON.stringify(value);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date': {
      if (typeof value !== 'string') return null;
      const then = parseInstant(value);
      return then === undefined ? '<invalid>' : humanDuration(now - then);
    }
    default:
      return null;
  }
}
