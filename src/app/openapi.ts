/** The OpenAPI documents of what is served, made when somebody asks and kept until the kinds are others. */
import type { Kinds, ResourceType } from '../api/schema/kinds.ts';
import { openApiV2, openApiV2Protobuf } from '../api/schema/openapi-v2.ts';
import { openApiDocuments } from '../api/schema/openapi.ts';
import type { OpenApiDocument } from '../api/schema/openapi.ts';
import type { OpenApiDocuments } from '../gateway/routes/openapi.ts';

/** Documents of `kinds`. They cost a few megabytes that an idle gateway need not hold: nothing is made before it is asked for. */
export function openApiOf(kinds: Kinds): OpenApiDocuments {
  let known: readonly ResourceType[] | undefined;
  const documents = new Map<string, { readonly types: readonly ResourceType[]; readonly made: OpenApiDocument }>();
  const v2 = new Map<string, Buffer>();

  /** The documents of the present kinds, those made anew whose types are others. */
  const all = (): readonly OpenApiDocument[] => {
    const types = kinds.all();
    if (types !== known) {
      known = types;
      v2.clear();
      const byVersion = groupedByVersion(types);
      for (const apiVersion of documents.keys()) if (!byVersion.has(apiVersion)) documents.delete(apiVersion);
      for (const [apiVersion, group] of byVersion) {
        if (isSame(documents.get(apiVersion)?.types, group)) continue;
        for (const made of openApiDocuments(group)) documents.set(apiVersion, { types: group, made });
      }
    }
    return [...documents.values()].map(({ made }) => made);
  };
  return {
    paths: () => all().map(({ path }) => path),
    document: (path) => all().find((one) => one.path === path)?.json,
    v2: (form) => {
      const made = all();
      const kept = v2.get(form);
      if (kept !== undefined) return kept;
      const document = openApiV2(made);
      const bytes = form === 'json' ? Buffer.from(JSON.stringify(document)) : openApiV2Protobuf(document);
      v2.set(form, bytes);
      return bytes;
    },
  };
}

function groupedByVersion(types: readonly ResourceType[]): ReadonlyMap<string, readonly ResourceType[]> {
  const groups = new Map<string, ResourceType[]>();
  for (const type of types) {
    const group = groups.get(type.apiVersion);
    if (group === undefined) groups.set(type.apiVersion, [type]);
    else group.push(type);
  }
  return groups;
}

function isSame(before: readonly ResourceType[] | undefined, now: readonly ResourceType[]): boolean {
  return before !== undefined && before.length === now.length && before.every((type, index) => type === now[index]);
}
