/** In which form an answer goes out. Pure. Source: Kubernetes API concepts, "Alternate representations of resources". */
import { StatusError } from '../api/status.ts';

export type Format =
  | { readonly kind: 'object' }
  | {
      readonly kind: 'table';
      readonly version: 'v1' | 'v1beta1';
      readonly includeObject: 'None' | 'Metadata' | 'Object';
    }
  | { readonly kind: 'metadata'; readonly version: 'v1' | 'v1beta1' };

interface MediaType {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly quality: number;
}

const object: Format = { kind: 'object' };

/**
 * The first form in `accept`, by quality and then order, that can be served. Throws NotAcceptable when there is none.
 * `includeObject` is the query parameter of that name, '' when absent.
 */
export function negotiate(accept: string, includeObject = ''): Format {
  if (accept === '' || accept === 'application/json' || accept === '*/*') return object;
  for (const media of parseAccept(accept)) {
    const format = formatOf(media, includeObject);
    if (format !== undefined) return format;
  }
  throw notAcceptable(['application/json']);
}

/** The kind and version of the first `as=` form in `accept` that is among `known`, or undefined when plain JSON comes first. */
export function negotiateAs(
  accept: string,
  known: readonly { readonly group: string; readonly version: string; readonly kind: string }[],
): number | undefined {
  if (accept === '') return undefined;
  for (const { type, parameters } of parseAccept(accept)) {
    if (!isJson(type)) continue;
    if (parameters['as'] === undefined) return undefined;
    const found = known.findIndex(
      ({ group, version, kind }) =>
        parameters['as'] === kind && parameters['v'] === version && parameters['g'] === group,
    );
    if (found >= 0) return found;
  }
  throw notAcceptable(['application/json']);
}

/** The refusal when nothing that the client accepts can be served. */
export function notAcceptable(served: readonly string[]): StatusError {
  return new StatusError('NotAcceptable', `only the following media types are accepted: ${served.join(', ')}`);
}

function formatOf({ type, parameters }: MediaType, includeObject: string): Format | undefined {
  if (!isJson(type)) return undefined;
  const { as, g, v } = parameters;
  if (as === undefined) return object;
  if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined;
  if (as === 'Table') return { kind: 'table', version: v, includeObject: includeObjectOf(includeObject) };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { kind: 'metadata', version: v };
  return undefined;
}

function includeObjectOf(value: string): 'None' | 'Metadata' | 'Object' {
  if (value === '' || value === 'Metadata') return 'Metadata';
  if (value === 'None' || value === 'Object') return value;
  throw new StatusError('BadRequest', `unrecognized includeObject value: ${JSON.stringify(value)}`);
}

function isJson(type: string): boolean {
  return type === 'application/json' || type === 'application/*' || type === '*/*';
}

function parseAccept(accept: string): readonly MediaType[] {
  const parsed = accept.split(',').map((part): MediaType => {
    const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
    const parameters = Object.fromEntries(
      rest.map((one) => {
        const equals = one.indexOf('=');
        return equals < 0 ? [one, ''] : [one.slice(0, equals), one.slice(equals + 1)];
      }),
    );
    const quality = Number(parameters['q'] ?? 1);
    return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 0 : quality };
  });
  return parsed.filter(({ quality }) => quality > 0).toSorted((a, b) => b.quality - a.quality);
}
