/**
 * /openapi/v3: an index, and one document for each group version, cached by clients under the hash of its content.
 * /openapi/v2: all kinds in one document, as JSON or protobuf.
 */
import { createHash } from 'node:crypto';
import { header, jsonAnswer, type Answer } from '../inbound.ts';
import { notAcceptable } from '../negotiate.ts';
import { pageNotFound, type PathHandler } from '../router.ts';

export interface OpenApiDocuments {
  /** Paths such as `api/v1` and `apis/apps/v1`, one for each document. */
  paths(): readonly string[];
  /** The document at `path` as JSON, or undefined. The same text as long as what is served stays the same. */
  document(path: string): string | Buffer | undefined;
  /** The document of OpenAPI v2. The same bytes as long as what is served stays the same. */
  v2(form: 'json' | 'protobuf'): string | Buffer;
}

/** /openapi/v3. */
export function openapiIndex(documents: OpenApiDocuments): PathHandler {
  const hashes = hashOf(documents);
  return () => {
    const entries = documents
      .paths()
      .map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hashes(path)}` }]);
    return jsonAnswer(200, { paths: Object.fromEntries(entries) });
  };
}

/** /openapi/v3/PATH. With the hash in the query it may be cached for good. */
export function openapiDocument(documents: OpenApiDocuments): PathHandler {
  const hashes = hashOf(documents);
  return ({ inbound }, { path, query }): Answer => {
    const name = path.slice('/openapi/v3/'.length);
    const body = documents.document(name);
    if (body === undefined) throw pageNotFound();
    const accept = header(inbound, 'accept');
    if (accept !== '' && !/application\/json|\*\/\*|application\/\*/.test(accept))
      throw notAcceptable(['application/json']);
    const hash = hashes(name);
    const headers = {
      etag: `"${hash}"`,
      vary: 'Accept',
      ...(query.get('hash') === hash ? { 'cache-control': 'public, immutable' } : {}),
    };
    if (header(inbound, 'if-none-match') === `"${hash}"`)
      return { kind: 'whole', code: 304, contentType: 'application/json', headers, body: '' };
    return { kind: 'whole', code: 200, contentType: 'application/json', headers, body };
  };
}

/** The media type of OpenAPI v2 in protobuf: as clients ask for it, and as answers name it since `@` is not allowed there. */
const protobufAsked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const protobufNamed = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** /openapi/v2. kubectl asks for the protobuf form. Throws NotAcceptable where neither form is accepted. */
export function openapiV2(documents: OpenApiDocuments): PathHandler {
  const etags = new Map<string, { readonly body: string | Buffer; readonly etag: string }>();
  return ({ inbound }): Answer => {
    const form = v2Form(header(inbound, 'accept'));
    const contentType = form === 'json' ? 'application/json' : protobufNamed;
    const body = documents.v2(form);
    const known = etags.get(form);
    const { etag } = known?.body === body ? known : { etag: `"${digest(body)}"` };
    etags.set(form, { body, etag });
    const headers = { etag, vary: 'Accept' };
    if (header(inbound, 'if-none-match') === etag) return { kind: 'whole', code: 304, contentType, headers, body: '' };
    return { kind: 'whole', code: 200, contentType, headers, body };
  };
}

function v2Form(accept: string): 'json' | 'protobuf' {
  if (accept === '') return 'json';
  for (const media of accept.split(',')) {
    const type = (media.split(';')[0] ?? '').trim().toLowerCase();
    if (type === protobufAsked || type === protobufNamed) return 'protobuf';
    if (type === 'application/json' || type === 'application/*' || type === '*/*') return 'json';
  }
  throw notAcceptable(['application/json', protobufAsked]);
}

function digest(text: string | Buffer): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase();
}

function hashOf(documents: OpenApiDocuments): (path: string) => string {
  const known = new Map<string, { readonly text: string | Buffer; readonly hash: string }>();
  return (path) => {
    const text = documents.document(path) ?? '';
    const found = known.get(path);
    if (found?.text === text) return found.hash;
    const hash = digest(text);
    known.set(path, { text, hash });
    return hash;
  };
}
