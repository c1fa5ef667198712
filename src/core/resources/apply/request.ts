/** A request to apply: its body read and held against the form of its kind, as a wish that the write path carries out. */
import type { KubeObject } from '../../../api/meta.ts';
import { readYaml } from '../../../api/schema/decode.ts';
import { badRequest } from '../../../api/status.ts';
import { rfc3339 } from '../../../std/clock.ts';
import type { Fields } from '../../../std/value.ts';
import { at, isFields, textOf } from '../../../std/value.ts';
import type { Address } from '../address.ts';
import { readValue } from '../body.ts';
import { asStored } from '../defaulting.ts';
import { toServed, toStorage } from '../faces.ts';
import type { Wish } from '../modify.ts';
import { addressed, checkName } from '../object-meta.ts';
import type { Body, Call, WriteOptions } from '../resources.ts';
import type { Writer } from '../writer.ts';
import { applied } from './apply.ts';
import type { Application } from './apply.ts';
import { storedEntries, withEntries } from './managers.ts';
import { faceOf, writerOf } from './owners.ts';
import { ownable } from './reset.ts';
import { parentEntries, scaleVersion } from './scale.ts';
import { errorText, typedConfig } from './typed.ts';

/**
 * What `body` wants of the object at `address`. Throws BadRequest for what is no configuration of its kind: unknown
 * fields whatever fieldValidation says, as upstream, and doubled ones where it is Strict.
 */
export function applyWish<Row>(
  writer: Pick<Writer<Row>, 'clock'>,
  call: Call<Row>,
  address: Address,
  body: Body,
  options: WriteOptions,
): Wish {
  const { type, subresource, target } = address;
  const expected = subresource ?? type;
  const isPart = expected.kind !== type.kind; // a Scale stands for a part of the object
  const apiVersion = isPart ? scaleVersion : type.apiVersion;
  const sent = configuration(call, body, options);
  call.requestObject(sent);
  checkKind(sent, apiVersion, expected.kind);
  if ((at(sent, 'metadata', 'managedFields') ?? null) !== null) throw badRequest('metadata.managedFields must be nil');
  const { value: config, errors } = typedConfig(expected.schema, sent);
  if (errors.length > 0) throw mistyped(address, sent, errors);

  const apply = (live: KubeObject | undefined): KubeObject => {
    const application: Application = {
      schema: expected.schema,
      live,
      entries: storedEntries(live?.metadata.managedFields),
      config,
      who: { ...writerOf(address, 'Apply', options.fieldManager), apiVersion },
      force: options.force,
      now: rfc3339(writer.clock.now()),
      ownable: ownable(type, subresource),
      in: (version, object) => {
        const face = isPart ? undefined : faceOf(address, version);
        if (face === undefined) return undefined;
        const asIs = object as unknown as KubeObject; // merged by the form of its kind; null stands where a field is to go
        return { schema: face.schema, object: toServed(face, toStorage(type, asIs)) };
      },
    };
    const { object, entries } = applied(application);
    const read = readValue(call, expected, object, { ...options, fieldValidation: 'Ignore' });
    checkName(read, target);
    return withEntries(addressed(type, read, target), entries);
  };
  return {
    kind: 'apply',
    next: (present, stored) => {
      const next = asStored(address, apply(present));
      if (!isPart) return next;
      const owners = storedEntries(next.metadata.managedFields);
      return withEntries(next, parentEntries(type, stored.metadata.managedFields, owners));
    },
    create: subresource === undefined ? () => apply(undefined) : undefined,
  };
}

function configuration<Row>(call: Call<Row>, body: Body, { fieldValidation }: WriteOptions): Fields {
  const { value, duplicates } = readYaml(body.bytes);
  if (!isFields(value)) throw badRequest('error decoding YAML: a configuration is an object');
  const twice = duplicates.map((path) => `key ${JSON.stringify(path)} already set in map`);
  if (twice.length > 0 && fieldValidation === 'Strict') {
    throw badRequest(`error strict decoding YAML: yaml: unmarshal errors:\n  ${twice.join('\n  ')}`);
  }
  if (fieldValidation === 'Warn') for (const text of twice) call.warn(text);
  return value;
}

function checkKind({ apiVersion, kind }: Fields, wantedVersion: string, wantedKind: string): void {
  if (apiVersion === wantedVersion && kind === wantedKind) return;
  throw badRequest(`invalid object type: ${goType(apiVersion, kind)}`);
}

/** As a Go program prints a group, version and kind. */
function goType(apiVersion: unknown, kind: unknown): string {
  const version = typeof apiVersion === 'string' ? apiVersion : '';
  return `${version.includes('/') ? version : `/${version}`}, Kind=${typeof kind === 'string' ? kind : ''}`;
}

/** Upstream answers this with code 500; it is the client's mistake. */
function mistyped({ type }: Address, sent: Fields, errors: readonly string[]): Error {
  const [namespace, name] = ['namespace', 'name'].map((field) => textOf(at(sent, 'metadata', field)));
  const who = `${namespace}/${name}; ${goType(type.apiVersion, type.kind)}`;
  return badRequest(`failed to create typed patch object (${who}): ${errorText(errors)}`);
}
