/**
 * The way from client-side to server-side apply, for the manager `kubectl` alone: what its annotation says was applied
 * from the client and still stands is its own to change, and the annotation is kept in step so that one can go back.
 * Source: apiserver's field manager, last-applied.
 */
import type { ObjectSchema } from '../../../api/schema/form.ts';
import type { Fields } from '../../../std/value.ts';
import { at, isFields, without } from '../../../std/value.ts';
import { compare } from './compare.ts';
import { fieldSetOf } from './extract.ts';
import type { FieldSet } from './field-set.ts';
import { difference } from './field-set.ts';
import { typedConfig } from './typed.ts';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** The manager that goes from client to server; others are taken at their word. */
const kubectl = 'kubectl';

/** All annotations of an object, bytes of keys and values. Source: Kubernetes, annotations. */
const mostAnnotationBytes = 256 * 1024;

function lastApplied(object: Fields): string {
  const text = at(object, 'metadata', 'annotations', annotation);
  return typeof text === 'string' ? text : '';
}

/** What `manager` may change on `live` though others own it; undefined where nothing says that it applied it from the client. */
export function upgradable(
  manager: string,
  of: { readonly schema: ObjectSchema; readonly apiVersion: string },
  live: Fields,
): FieldSet | undefined {
  if (manager !== kubectl) return undefined;
  const applied = parsed(lastApplied(live));
  if (applied === undefined || applied['apiVersion'] !== of.apiVersion) return undefined;
  const { value, errors } = typedConfig(of.schema, applied);
  if (errors.length > 0) return undefined;
  const { changed, removed } = compare(of.schema, value, live);
  return difference(difference(fieldSetOf(of.schema, value), changed), removed);
}

function parsed(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined; // anybody may write an annotation: what does not parse says nothing
  }
}

/** `object` with its annotation, where it has one, saying what `manager` has just applied. */
export function withLastApplied(manager: string, object: Fields, config: Fields): Fields {
  if (manager !== kubectl || lastApplied(object) === '') return object;
  const metadata = at(object, 'metadata');
  const annotations = at(object, 'metadata', 'annotations');
  const sent = at(config, 'metadata');
  if (!isFields(metadata) || !isFields(annotations)) return object;
  const applied = isFields(sent) ? { ...config, metadata: withoutAnnotation(sent) } : config;
  const next = { ...annotations, [annotation]: `${JSON.stringify(applied)}\n` };
  const fits = bytesOf(next) <= mostAnnotationBytes;
  return { ...object, metadata: { ...metadata, annotations: fits ? next : without(annotations, annotation) } };
}

function withoutAnnotation(metadata: Fields): Fields {
  const { annotations } = metadata;
  return isFields(annotations) ? { ...metadata, annotations: without(annotations, annotation) } : metadata;
}

function bytesOf(annotations: Fields): number {
  return Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  );
}
