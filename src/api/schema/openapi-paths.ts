/** The paths of a resource in OpenAPI: which operations there are, on what kind, with which parameters. */
import type { Schema } from './form.ts';
import type { ResourceType } from './kinds.ts';
import { schemaOf } from './kinds.ts';

type Json = Readonly<Record<string, unknown>>;

/** The kind that an operation's bodies are of. */
interface Body {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly type: Json;
  /** The forms of patches it takes. */
  readonly patches: readonly string[];
}

const query = (name: string, type: string, description: string): Json => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});
const inPath = (name: string, description: string): Json => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string', uniqueItems: true },
});

const writing = [
  query('dryRun', 'string', 'All: nothing is kept, the answer is as if it were.'),
  query('fieldManager', 'string', 'Who makes the change.'),
  query('fieldValidation', 'string', 'What to do with unknown and duplicate fields: Ignore, Warn or Strict.'),
];
const patching = [...writing, query('force', 'boolean', 'Take over fields that others manage.')];
const deleting = [
  query('dryRun', 'string', 'All: nothing is deleted.'),
  query('gracePeriodSeconds', 'integer', 'How long it may take to stop.'),
  query('propagationPolicy', 'string', 'What happens to what it owns: Orphan, Background or Foreground.'),
];
const selecting = [
  query('labelSelector', 'string', 'Only objects with these labels.'),
  query('fieldSelector', 'string', 'Only objects with these fields.'),
  query('limit', 'integer', 'At most so many at once.'),
  query('continue', 'string', 'Where the page before ended.'),
  query('resourceVersion', 'string', 'How fresh the answer has to be.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is meant.'),
  query('timeoutSeconds', 'integer', 'How long it may take.'),
  query('watch', 'boolean', 'Follow the changes.'),
  query('allowWatchBookmarks', 'boolean', 'Say now and then how far the watch is.'),
  query('sendInitialEvents', 'boolean', 'Begin the watch with what there is.'),
];

const patchTypes = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'];
/** Clients choose by what is listed: a custom kind that listed this one could not be applied to by kubectl. */
const strategicPatch = 'application/strategic-merge-patch+json';

/** The paths of `type` with their operations; `refer` gives the schema that stands for a type. */
export function pathsOf(type: ResourceType, refer: (schema: Schema) => Json): readonly (readonly [string, Json])[] {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.apiVersion}`;
  const base = `${root}${type.namespaced ? '/namespaces/{namespace}' : ''}/${type.resource}`;
  const namespace = type.namespaced ? [inPath('namespace', 'The namespace.')] : [];
  const one = [inPath('name', `The name of the ${type.kind}.`), ...namespace];
  const patches = type.custom === undefined ? [...patchTypes, strategicPatch] : patchTypes;
  const body: Body = { group: type.group, version: type.version, kind: type.kind, type: refer(type.schema), patches };
  const can = (verb: string): boolean => type.verbs.includes(verb);
  const everywhere: readonly (readonly [string, Json])[] =
    type.namespaced && can('list')
      ? [[`${root}/${type.resource}`, { get: operation('list', body, { parameters: selecting }) }]]
      : [];
  const collection: Json = {
    ...(can('list') ? { get: operation('list', body, { parameters: selecting }) } : {}),
    ...(can('create') ? { post: operation('post', body, { parameters: writing, takes: body.type }) } : {}),
    ...(can('deletecollection')
      ? { delete: operation('deletecollection', body, { parameters: [...selecting, ...deleting] }) }
      : {}),
    ...(namespace.length === 0 ? {} : { parameters: namespace }),
  };
  const item = verbs(type.verbs, body, refer);
  return [
    ...everywhere,
    [base, collection],
    ...(can('get') ? [[`${base}/{name}`, { ...item, parameters: one }] as const] : []),
    ...type.subresources.map((sub) => {
      const of: Body = { group: sub.group, version: sub.version, kind: sub.kind, type: refer(sub.schema), patches };
      const operations = sub.verbs.includes('create')
        ? { ...verbs(sub.verbs, of, refer), post: operation('post', of, { parameters: writing, takes: of.type }) }
        : verbs(sub.verbs, of, refer);
      return [`${base}/{name}/${sub.name}`, { ...operations, parameters: one }] as const;
    }),
  ];
}

/** The operations on one object. */
function verbs(allowed: readonly string[], body: Body, refer: (schema: Schema) => Json): Json {
  const options = schemaOf('v1', 'DeleteOptions');
  const takes = options === undefined ? {} : { takes: refer(options) };
  return {
    ...(allowed.includes('get') ? { get: operation('get', body, { parameters: [] }) } : {}),
    ...(allowed.includes('update') ? { put: operation('put', body, { parameters: writing, takes: body.type }) } : {}),
    ...(allowed.includes('patch')
      ? { patch: operation('patch', body, { parameters: patching, takes: { type: 'object' } }) }
      : {}),
    ...(allowed.includes('delete') ? { delete: operation('delete', body, { parameters: deleting, ...takes }) } : {}),
  };
}

function operation(
  action: string,
  body: Body,
  { parameters, takes }: { readonly parameters: readonly Json[]; readonly takes?: Json },
): Json {
  const { group, version, kind, type, patches } = body;
  const media = action === 'patch' ? patches : ['*/*'];
  return {
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(takes === undefined
      ? {}
      : {
          requestBody: {
            required: action !== 'delete',
            content: Object.fromEntries(media.map((name) => [name, { schema: takes }])),
          },
        }),
    responses: { '200': { description: 'OK', content: { 'application/json': { schema: type } } } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
  };
}
