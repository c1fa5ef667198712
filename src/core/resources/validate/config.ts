/** ConfigMaps and Secrets. Source: core/v1. */
import type { KubeObject } from '../../../api/meta.ts';
import type { FieldCause } from '../../../api/status.ts';
import { equal, fieldsOf, isFields, textOf } from '../../../std/value.ts';
import { forbiddenField, invalidValue, required, tooLong } from './causes.ts';
import type { KindChecks } from './checks.ts';
import { dataKey } from './names.ts';

/** Bytes of all values. Source: core/v1, MaxSecretSize. */
const maxBytes = 1024 * 1024;

function dataCauses(object: KubeObject): readonly FieldCause[] {
  let bytes = 0;
  const causes: FieldCause[] = [];
  const [data, binary] = [fieldsOf(object['data']), fieldsOf(object['binaryData'])];
  for (const [part, values] of [
    ['data', data],
    ['binaryData', binary],
  ] as const) {
    for (const [key, value] of Object.entries(values)) {
      const why = dataKey(key);
      if (why !== undefined) causes.push(invalidValue(`${part}[${key}]`, key, why));
      if (part === 'binaryData' && Object.hasOwn(data, key))
        causes.push(invalidValue(`binaryData[${key}]`, key, 'duplicate of key present in data'));
      const isEncoded = part === 'binaryData' || object.kind === 'Secret';
      bytes += Buffer.byteLength(textOf(value), isEncoded ? 'base64' : 'utf8');
    }
  }
  return bytes > maxBytes ? [...causes, tooLong(object.kind === 'Secret' ? 'data' : '', maxBytes)] : causes;
}

/** What is marked immutable stays so, and so does what it holds. */
function immutableCauses(next: KubeObject, old: KubeObject): readonly FieldCause[] {
  if (old['immutable'] !== true) return [];
  const causes: FieldCause[] = [];
  if (next['immutable'] !== true)
    causes.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'));
  for (const part of ['data', 'binaryData']) {
    if (!equal(next[part] ?? {}, old[part] ?? {}))
      causes.push(forbiddenField(part, 'field is immutable when `immutable` is set'));
  }
  return causes;
}

export const configMapChecks: KindChecks = { object: dataCauses, update: immutableCauses };

/** Keys that a secret of a type has to hold. */
const needed: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
]);

/** Keys whose content has to be JSON, by the secret's type. */
const jsonKeys: ReadonlyMap<string, string> = new Map([
  ['kubernetes.io/dockerconfigjson', '.dockerconfigjson'],
  ['kubernetes.io/dockercfg', '.dockercfg'],
]);

/** Registry credentials that no kubelet could read are refused; the message shows nothing of them. */
function jsonCauses(type: string, data: Readonly<Record<string, unknown>>): readonly FieldCause[] {
  const key = jsonKeys.get(type);
  if (key === undefined || !Object.hasOwn(data, key)) return [];
  const text = Buffer.from(textOf(data[key]), 'base64').toString();
  return isJsonObject(text)
    ? []
    : [invalidValue(`data[${key}]`, '<secret contents redacted>', 'must be a JSON object')];
}

function isJsonObject(text: string): boolean {
  try {
    return isFields(JSON.parse(text));
  } catch {
    return false; // not JSON at all: the answer, not a failure
  }
}

export const secretChecks: KindChecks = {
  object: (secret) => {
    const data = fieldsOf(secret['data']);
    const type = textOf(secret['type']);
    const missing = (needed.get(type) ?? []).filter((key) => !Object.hasOwn(data, key));
    const account = secret.metadata.annotations?.['kubernetes.io/service-account.name'] ?? '';
    return [
      ...dataCauses(secret),
      ...missing.map((key) => required(`data[${key}]`)),
      ...jsonCauses(type, data),
      ...(type === 'kubernetes.io/basic-auth' && !Object.hasOwn(data, 'username') && !Object.hasOwn(data, 'password')
        ? [required('data[username]'), required('data[password]')]
        : []),
      ...(type === 'kubernetes.io/service-account-token' && account === ''
        ? [required('metadata.annotations[kubernetes.io/service-account.name]')]
        : []),
    ];
  },
  update: (next, old) => [
    ...(equal(next['type'], old['type']) ? [] : [invalidValue('type', next['type'], 'field is immutable')]),
    ...immutableCauses(next, old),
  ],
};
