// A throw-away CustomResourceDefinition for the kubectl checks: an API group of its own, removed when the check ends.
// withCrd(t, { spec, status, version, names, scope }, async (crd) => …)
//   spec, status: OpenAPI schemas of those two fields; version: further fields of the one version (subresources,
//   additionalPrinterColumns, selectableFields); names: further fields of spec.names.
// crd offers: group, resource (plural.group, safe to give to kubectl), apiVersion, name, object(name, spec, metadata).

export async function withCrd(
  t,
  {
    spec = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    status,
    version = {},
    names = {},
    scope = 'Namespaced',
  },
  use,
) {
  const group = `${t.unique('g')}.example.com`;
  const name = `widgets.${group}`;
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group,
      scope,
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList', ...names },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          ...version,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec, ...(status ? { status } : {}) } } },
        },
      ],
    },
  };
  const made = await t.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(definition) });
  if (made.code !== 0) t.fail(`the CRD was refused: ${made.err}`);
  try {
    await t.until(`${name} to be served`, async () => (await t.kubectl(['-n', t.ns, 'get', name])).code === 0);
    const apiVersion = `${group}/v1`;
    return await use({
      group,
      name,
      resource: name,
      apiVersion,
      object: (objectName, objectSpec, metadata = {}) => ({
        apiVersion,
        kind: 'Widget',
        metadata: { name: objectName, ...metadata },
        spec: objectSpec,
      }),
    });
  } finally {
    await t.kubectl(['delete', 'crd', name, '--wait=false']);
  }
}
