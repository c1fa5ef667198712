/** Request bodies, in any of the three spellings clients send (JSON, YAML, protobuf), to objects of one form. */
import { isMap, isPair, isScalar, isSeq, parseDocument } from 'yaml';
import { StatusError, badRequest, failedWith } from '../status.ts';
import { conform } from './conform.ts';
import type { Fields } from './conform.ts';
import { conformCustom } from './custom/conform.ts';
import type { CustomKind } from './custom/kind.ts';
import type { ObjectSchema } from './form.ts';
import { fromProtobuf, openEnvelope } from './protobuf.ts';
import { scanJson } from './scan.ts';

/** What to do with fields that are unknown or given twice: drop them silently, drop and warn, or refuse the body. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** The kind a body must be of. A resource, a subresource, or any kind by hand. */
export interface Expected {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: ObjectSchema;
  /** Of a custom kind: bodies are JSON or YAML, and its structural schema says what is kept. */
  readonly custom?: CustomKind;
}

export interface Decoded {
  readonly object: Fields;
  /** Texts for Warning headers, one per field. */
  readonly warnings: readonly string[];
}

/** Chosen: deeper than any type of the API, shallower than any stack. */
const maxDepth = 256;
/** More aliases than this in one YAML body are an attack, not a manifest. */
const maxAliases = 100;
/** As many as anybody reads; a Strict answer and the Warning headers have to stay small. */
const maxNamed = 100;

const protobuf = 'application/vnd.kubernetes.protobuf';

/** Whether bodies of this media type (lower case, without parameters) can be decoded. '' is taken as JSON. */
export function isDecodable(contentType: string): boolean {
  return isYaml(contentType) || contentType === protobuf || contentType === '' || contentType === 'application/json';
}

/**
 * The object in `bytes`, pruned to its schema, with apiVersion and kind filled in when they were left out. The size
 * limit is the caller's. Throws UnsupportedMediaType, and BadRequest for what does not parse, has a wrong type, is of
 * another kind, nests deeper than 256, or (Strict) has unknown or duplicate fields.
 */
export function decodeBody(
  expected: Expected,
  bytes: Buffer,
  contentType: string,
  fieldValidation: FieldValidation,
): Decoded {
  if (!isDecodable(contentType) || (contentType === protobuf && expected.custom !== undefined))
    throw unsupportedMediaType(contentType);
  if (contentType === protobuf) {
    const { apiVersion, kind, raw } = openEnvelope(bytes);
    checkKind(expected, apiVersion, kind);
    return decodeValue(expected, fromProtobuf(expected.schema, raw), 'Ignore');
  }
  const { value, duplicates } = isYaml(contentType) ? parseYaml(bytes) : parseJson(bytes, expected.kind);
  return decodeValue(expected, value, fieldValidation, duplicates);
}

/** The same for a value that is parsed already, such as the outcome of a patch. `duplicates` are paths found before. */
export function decodeValue(
  expected: Expected,
  value: unknown,
  fieldValidation: FieldValidation,
  duplicates: readonly string[] = [],
): Decoded {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { apiVersion, kind } = value as Fields;
    checkKind(expected, apiVersion, kind);
  }
  const { object, unknown } = cannotBeHandled(expected, () =>
    expected.custom === undefined ? conform(expected.schema, value) : conformCustom(expected.custom.schema, value),
  );
  const named = [
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
  ].slice(0, maxNamed);
  if (fieldValidation === 'Strict' && named.length > 0)
    throw badRequest(`${handledAs(expected)}: strict decoding error: ${named.join(', ')}`);
  return {
    object: { apiVersion: apiVersion(expected), kind: expected.kind, ...object },
    warnings: fieldValidation === 'Warn' ? named : [],
  };
}

function unsupportedMediaType(contentType: string): StatusError {
  return new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, ${protobuf} (got ${JSON.stringify(contentType)})`,
  );
}

function isYaml(contentType: string): boolean {
  return contentType === 'application/yaml' || contentType === 'application/apply-patch+yaml';
}

function apiVersion({ group, version }: Expected): string {
  return group === '' ? version : `${group}/${version}`;
}

function handledAs({ version, kind }: Expected): string {
  return `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}`;
}

/** Kinds of meta/v1 (DeleteOptions) travel under the version of any group; the others under their own. */
function checkKind(expected: Expected, foundVersion: unknown, foundKind: unknown): void {
  const version = foundVersion ?? '';
  const kind = foundKind ?? '';
  if (typeof version !== 'string' || typeof kind !== 'string')
    throw badRequest(`couldn't get version/kind; apiVersion and kind have to be strings`);
  if (version !== '' && version !== apiVersion(expected) && expected.schema.group !== 'meta/v1')
    throw badRequest(
      `the API version in the data (${version}) does not match the expected API version (${apiVersion(expected)})`,
    );
  if (kind !== '' && kind !== expected.kind)
    throw badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}: the kind in the data (${kind}) does not match the expected kind (${expected.kind})`,
    );
}

/** Says which kind was being read when `run` found a wrong type. */
function cannotBeHandled<T>(expected: Expected, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (failedWith(error, 'BadRequest')) throw badRequest(`${handledAs(expected)}: ${error.message}`, error);
    throw error;
  }
}

interface Parsed {
  readonly value: unknown;
  /** Paths of fields that an object has more than once. */
  readonly duplicates: readonly string[];
}

/**
 * The value in `bytes`, YAML or JSON, as it stands: nothing is known of its kind yet. Throws BadRequest for what does not
 * parse, nests deeper than 256 or multiplies by aliases.
 */
export function readYaml(bytes: Buffer): Parsed {
  const text = bytes.toString('utf8');
  if (!text.trimStart().startsWith('{')) return parseYaml(bytes);
  // Most clients send JSON, which is read far quicker; what only looks like it is YAML's flow style.
  const { duplicates, tooDeep } = scanJson(text, maxDepth);
  if (tooDeep) throw nestsTooDeep();
  try {
    return { value: JSON.parse(text), duplicates };
  } catch {
    return parseYaml(bytes);
  }
}

function parseJson(bytes: Buffer, kind: string): Parsed {
  const text = bytes.toString('utf8');
  const { duplicates, tooDeep } = scanJson(text, maxDepth);
  if (tooDeep) throw nestsTooDeep();
  try {
    return { value: JSON.parse(text), duplicates };
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : 'it does not parse';
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why}`,
      error,
    );
  }
}

function nestsTooDeep(): StatusError {
  return badRequest(`the body nests deeper than ${maxDepth} levels`);
}

function parseYaml(bytes: Buffer): Parsed {
  const text = bytes.toString('utf8');
  let document: ReturnType<typeof parseDocument>;
  try {
    document = parseDocument(text, { uniqueKeys: false, stringKeys: true, logLevel: 'silent' });
  } catch (error) {
    throw badRequest('the body is not YAML that can be read', error); // also what overflows the parser's stack
  }
  const [first] = document.errors;
  if (first !== undefined) throw badRequest(`error converting YAML to JSON: yaml: ${first.message.split('\n')[0]}`);
  const duplicates: string[] = [];
  findDuplicates(document.contents, '', 0, duplicates);
  try {
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    if (deeperThan(value, maxDepth)) throw nestsTooDeep(); // aliases nest what the text does not
    return { value, duplicates };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw badRequest('error converting YAML to JSON: yaml: document contains excessive aliasing', error);
  }
}

function findDuplicates(node: unknown, path: string, depth: number, found: string[]): void {
  if (depth > maxDepth) throw nestsTooDeep();
  if (isSeq(node)) node.items.forEach((item, index) => findDuplicates(item, `${path}[${index}]`, depth + 1, found));
  if (!isMap(node)) return;
  const seen = new Set<string>();
  for (const pair of node.items) {
    const key = isPair(pair) && isScalar(pair.key) ? String(pair.key.value) : '';
    const at = path === '' ? key : `${path}.${key}`;
    if (seen.has(key)) found.push(at);
    seen.add(key);
    findDuplicates(pair.value, at, depth + 1, found);
  }
}

function deeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => deeperThan(inner, levels - 1));
}
