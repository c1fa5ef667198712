/**
 * An applied configuration held against the form of its kind. It is not decoded as other bodies are: what it leaves out
 * stays out, null is a wish, a zero is owned, and a field that the form does not know is an error and never dropped.
 * Scalars take their one spelling, so that `1000m` and `1` are no conflict. Messages: upstream's typed objects.
 */
import { canonicalScalar } from '../../../api/schema/conform.ts';
import type { ListSchema, ObjectSchema, ScalarSchema, Schema } from '../../../api/schema/form.ts';
import type { Fields } from '../../../std/value.ts';
import { isFields } from '../../../std/value.ts';
import { elementText, itemElement } from './path-element.ts';

export interface Typed {
  readonly value: Fields;
  /** What is wrong, each with its path; the value means nothing then. */
  readonly errors: readonly string[];
}

/** `config` by `schema`. Throws BadRequest for a text that is no amount, time or base64. */
export function typedConfig(schema: ObjectSchema, config: Fields): Typed {
  const errors: string[] = [];
  const value = typedValue(schema, config, '', errors);
  return { value: isFields(value) ? value : {}, errors };
}

function typedValue(schema: Schema, value: unknown, path: string, errors: string[]): unknown {
  if (value === null || value === undefined) return null;
  switch (schema.kind) {
    case 'object':
      if (!isFields(value)) return wrong(`expected map, got ${goValue(value)}`, path, errors);
      return mapped(value, (name, inner) => {
        const field = schema.fields.get(name);
        if (field !== undefined) return typedValue(field.schema, inner, `${path}.${name}`, errors);
        return schema.open ? inner : wrong('field not declared in schema', `${path}.${name}`, errors);
      });
    case 'map':
      if (!isFields(value)) return wrong(`expected map, got ${goValue(value)}`, path, errors);
      return mapped(value, (name, inner) => typedValue(schema.values, inner, `${path}.${name}`, errors));
    case 'list':
      if (!Array.isArray(value)) return wrong(`expected list, got ${goValue(value)}`, path, errors);
      return typedItems(schema, value, path, errors);
    case 'any':
      return schema.object !== undefined && isFields(value) ? typedValue(schema.object(), value, path, errors) : value;
    case 'raw':
      return value;
    case 'string':
    case 'boolean':
    case 'integer':
    case 'number':
    case 'quantity':
    case 'int-or-string':
    case 'time':
    case 'microtime':
    case 'duration':
    case 'bytes':
      return typedScalar(schema, value, path, errors);
  }
}

/** Through entries, so that a key such as __proto__ is data. */
function mapped(fields: Fields, each: (name: string, value: unknown) => unknown): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, each(name, value)]));
}

function typedItems(schema: ListSchema, items: readonly unknown[], path: string, errors: string[]): readonly unknown[] {
  if (schema.listType === 'atomic') {
    return items.map((item, index) => typedValue(schema.items, item, `${path}[${index}]`, errors));
  }
  const seen = new Set<string>();
  return items.map((item, index) => {
    const named = itemElement(schema, item);
    if ('why' in named) return wrong(`element ${index}: ${named.why}`, path, errors);
    const key = elementText(named.element);
    if (seen.has(named.element)) wrong(`duplicate entries for key ${key}`, path, errors);
    seen.add(named.element);
    return typedValue(schema.items, item, path + key, errors);
  });
}

function typedScalar(schema: ScalarSchema, value: unknown, path: string, errors: string[]): unknown {
  const wanted = wantedBy(schema, value);
  if (wanted !== undefined) return wrong(`expected ${wanted}, got ${goValue(value)}`, path, errors);
  return canonicalScalar(schema, value, [path.slice(1)]);
}

/** What upstream's typed objects would rather have had, or undefined where `value` will do. */
function wantedBy({ kind }: ScalarSchema, value: unknown): string | undefined {
  switch (kind) {
    case 'string':
    case 'bytes':
    case 'duration':
    case 'time':
    case 'microtime':
      return typeof value === 'string' ? undefined : 'string';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'boolean';
    case 'integer':
    case 'number':
      return typeof value === 'number' ? undefined : 'numeric (int or float)';
    case 'quantity':
    case 'int-or-string':
      return typeof value === 'object' || typeof value === 'boolean' ? 'scalar' : undefined;
    case 'raw':
    case 'any':
      return undefined;
  }
}

function wrong(why: string, path: string, errors: string[]): undefined {
  errors.push(`${path}: ${why}`);
}

/** A value as the messages of a Go program name its type. */
function goValue(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return 'map[string]interface {}';
}

/** Several findings as one message. */
export function errorText(errors: readonly string[]): string {
  const [only] = errors;
  return errors.length === 1 && only !== undefined
    ? only
    : ['errors:', ...errors.map((text) => `  ${text}`)].join('\n');
}
