/** /openapi/v3: an index, and one document for each group version, cached by clients under the hash of its content. */
import { createHash } from 'node:crypto';
import { header, jsonAnswer, type Answer } from '../inbound.ts';
import { notAcceptable } from '../negotiate.ts';
import { pageNotFound, type PathHandler } from '../router.ts';

export interface OpenApiDocuments {
  /** Paths such as `api/v1` and `apis/apps/v1`, one for each document. */
  paths(): readonly string[];
  /** The document at `path` as JSON, or undefined. The same text as long as what is served stays the same. */
  document(path: string): string | Buffer | undefined;
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

/** /openapi/v2 is served in no form: kubectl 1.30 and later live on v3. */
export const openapiV2: PathHandler = () => {
  throw notAcceptable(['application/json at /openapi/v3']);
};

function hashOf(documents: OpenApiDocuments): (path: string) => string {
  const known = new Map<string, { readonly text: string | Buffer; readonly hash: string }>();
  return (path) => {
    const text = documents.document(path) ?? '';
    const found = known.get(path);
    if (found?.text === text) return found.hash;
    const hash = createHash('sha512').update(text).digest('hex').toUpperCase();
    known.set(path, { text, hash });
    return hash;
  };
}
