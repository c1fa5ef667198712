/** CustomResourceDefinitions for tests: one that is valid, and ways to change one thing of it. */

type Json = Readonly<Record<string, unknown>>;

/** A schema with a spec of its own and, unless told otherwise, a status that keeps what it gets. */
export function schemaOf(spec: Json, more: Json = {}): Json {
  return {
    type: 'object',
    properties: { spec, status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    ...more,
  };
}

/** The CronTab that the documentation of custom resources uses, in group `stable.example.com`. */
export function cronTab(
  more: {
    readonly spec?: Json;
    readonly schema?: Json;
    readonly version?: Json;
    readonly names?: Json;
    readonly metadata?: Json;
  } = {},
): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com', ...more.metadata },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab', shortNames: ['ct'], ...more.names },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema:
              more.schema ??
              schemaOf({
                type: 'object',
                properties: {
                  cronSpec: { type: 'string' },
                  image: { type: 'string' },
                  replicas: { type: 'integer' },
                },
              }),
          },
          ...more.version,
        },
      ],
      ...more.spec,
    },
  };
}

/** The same as the server keeps it: accepted and established. */
export function established(definition: Json, uid = 'uid-1'): Json & { readonly metadata: Json } {
  const { metadata, spec } = definition as { readonly metadata: Json; readonly spec: { readonly names: Json } };
  const kind = String(spec.names['kind']);
  return {
    ...definition,
    metadata: { uid, generation: 1, ...metadata },
    status: {
      acceptedNames: { singular: kind.toLowerCase(), listKind: `${kind}List`, ...spec.names },
      conditions: [
        { type: 'NamesAccepted', status: 'True' },
        { type: 'Established', status: 'True' },
      ],
      storedVersions: ['v1'],
    },
  };
}
