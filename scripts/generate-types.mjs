// Writes src/api/types/*.ts from src/api/schema/kubernetes-types.json. Run after the table changes: node scripts/generate-types.mjs
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const table = JSON.parse(readFileSync(new URL('src/api/schema/kubernetes-types.json', root), 'utf8'));
const folder = new URL('src/api/types/', root);

/** 'apps/v1' → 'apps', 'autoscaling/v2' → 'autoscaling-v2', 'v1' → 'core', 'meta/v1' → 'meta'. */
const fileOf = (group) => {
  if (group === 'v1') return 'core';
  const [name, version] = group.split('/');
  const short = name.split('.')[0];
  return version === 'v1' || version === undefined ? short : `${short}-${version}`;
};
const scalars = {
  string: 'string',
  bool: 'boolean',
  int: 'number',
  int32: 'number',
  int64: 'number',
  uint8: 'number',
  uint32: 'number',
  uint64: 'number',
  float64: 'number',
  byte: 'number',
  'types.UID': 'string',
  'resource.Quantity': 'string',
  'intstr.IntOrString': 'string | number',
  'runtime.RawExtension': 'unknown',
  'runtime.Object': 'unknown',
  'metav1.Time': 'string',
  Time: 'string',
  'metav1.MicroTime': 'string',
  MicroTime: 'string',
  'metav1.FieldsV1': 'unknown',
  FieldsV1: 'unknown',
  'metav1.Duration': 'string',
  Duration: 'string',
  interface: 'unknown',
  'types.NodeName': 'string',
  'runtime.Unknown': 'unknown',
};
const packages = {
  metav1: 'meta/v1',
  v1: 'v1',
  corev1: 'v1',
  core: 'v1',
  apiv1: 'v1',
  authnv1: 'authentication.k8s.io/v1',
  rbacv1: 'rbac.authorization.k8s.io/v1',
  authenticationv1: 'authentication.k8s.io/v1',
  apidiscoveryv2: 'apidiscovery.k8s.io/v2',
};

/** The discovery types call meta/v1 `v1`; everybody else means core by it. */
const packageOf = (group, alias) => (group.startsWith('apidiscovery.') && alias === 'v1' ? 'meta/v1' : packages[alias]);

function typescript(group, go, imports) {
  if (go.startsWith('*')) return typescript(group, go.slice(1), imports);
  if (go === '[]byte') return 'string';
  if (go.startsWith('[]')) {
    const item = typescript(group, go.slice(2), imports);
    return `readonly ${/[ |]/.test(item) ? `(${item})` : item}[]`;
  }
  const map = /^map\[(\w+(?:\.\w+)?)\](.*)$/.exec(go);
  if (map) return `Readonly<Record<string, ${typescript(group, map[2], imports)}>>`;
  if (scalars[go]) return scalars[go];
  const [left, right] = go.includes('.') ? go.split('.') : [undefined, go];
  const from = left === undefined ? group : packageOf(group, left);
  if (from === undefined || table[from]?.[right] === undefined) return 'unknown';
  const named = table[from][right];
  if (named.fields?.length === 0 && named.of === undefined) return 'Readonly<Record<string, never>>';
  if (from !== group) {
    const file = fileOf(from);
    if (!imports.has(file)) imports.set(file, new Set());
    imports.get(file).add(right);
  }
  return right;
}

/** The fields of a type, inline ones lifted in. */
function fieldsOf(group, name) {
  const out = [];
  for (const field of table[group][name].fields ?? []) {
    if (field.json !== undefined) out.push([group, field]);
    else if (field.inline) {
      const go = field.type.replace(/^\*/, '');
      if (/(^|\.)(TypeMeta|ListMeta|ObjectMeta)$/.test(go) && go.endsWith('TypeMeta')) continue;
      const [left, right] = go.includes('.') ? go.split('.') : [undefined, go];
      const from = left === undefined ? group : packageOf(group, left);
      if (table[from]?.[right]?.fields) out.push(...fieldsOf(from, right));
    }
  }
  return out;
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [group, types] of Object.entries(table)) {
  if (group === 'intstr' || group === 'runtime') continue;
  const imports = new Map();
  const body = [];
  for (const [name, type] of Object.entries(types)) {
    if (scalars[name] && group === 'meta/v1') continue;
    if (type.of === '*ast.InterfaceType' || type.of === 'watch.Event') continue; // Go interfaces, nothing on the wire
    if (group === 'v1' && name === 'List') continue; // the same as meta/v1 List
    if (type.of !== undefined) {
      const values = type.enum?.filter((value) => value !== '');
      // The known values, for the editor; others may come from a newer client, so the text stays open where Go's does.
      body.push(
        `export type ${name} = ${type.of === 'string' && values?.length ? `${values.map((v) => `'${v}'`).join(' | ')} | (string & {})` : typescript(group, type.of, imports)};\n`,
      );
      continue;
    }
    const lines = [];
    if (type.object || (name.endsWith('List') && types[name.slice(0, -4)]?.object))
      lines.push('  readonly apiVersion: string;', '  readonly kind: string;');
    else if ((type.fields ?? []).some((f) => f.inline && f.type.endsWith('TypeMeta')))
      lines.push('  readonly apiVersion?: string;', '  readonly kind?: string;');
    for (const [from, field] of fieldsOf(group, name)) {
      const own = from === group ? imports : new Map();
      let ts = typescript(from, field.type, own);
      if (from !== group) {
        for (const [file, names] of own)
          for (const n of names) {
            if (file === fileOf(group)) continue;
            if (!imports.has(file)) imports.set(file, new Set());
            imports.get(file).add(n);
          }
        if (table[from]?.[ts] && !scalars[ts]) {
          const file = fileOf(from);
          if (!imports.has(file)) imports.set(file, new Set());
          imports.get(file).add(ts);
        }
      }
      const always = type.object && (field.json === 'metadata' || field.json === 'spec') && !field.type.startsWith('*');
      const named = name === 'ObjectMeta' && field.json === 'name'; // every stored object has one
      if (!type.object && ts === 'ObjectMeta') ts = 'Partial<ObjectMeta>'; // of a template
      const optional = !always && !named && (field.optional || field.omitempty || field.type.startsWith('*'));
      lines.push(
        `  readonly ${/^[A-Za-z_$][\w$]*$/.test(field.json) ? field.json : `'${field.json}'`}${optional ? '?' : ''}: ${ts};`,
      );
    }
    body.push(`export interface ${name} {\n${lines.join('\n')}\n}\n`);
  }
  const head = [...imports]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([file, names]) =>
        `import type { ${[...names].toSorted((a, b) => (a < b ? -1 : 1)).join(', ')} } from './${file}.ts';\n`,
    );
  writeFileSync(
    new URL(`${fileOf(group)}.ts`, folder),
    `// Types of ${group}. Generated by scripts/generate-types.mjs from src/api/schema/kubernetes-types.json: do not edit.\n${head.join('')}${head.length ? '\n' : ''}${body.join('\n')}`,
  );
}
