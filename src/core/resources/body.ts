/** Bodies to objects: decoded, warned about, defaulted, in the version they are stored in. */
import type { KubeObject } from '../../api/meta.ts';
import type { Expected } from '../../api/schema/decode.ts';
import { decodeBody, decodeValue } from '../../api/schema/decode.ts';
import { scanJson } from '../../api/schema/scan.ts';
import { badRequest } from '../../api/status.ts';
import { fieldsOf } from '../../std/value.ts';
import type { Fields } from '../../std/value.ts';
import type { Body, Call, WriteOptions } from './resources.ts';

/** Deepest body that is parsed; as decoding has it. */
const maxDepth = 256;

/** The object in `body`, with whatever there is to warn about told to the client. */
export function readBody<Row>(call: Call<Row>, expected: Expected, body: Body, options: WriteOptions): KubeObject {
  const { object, warnings } = decodeBody(expected, body.bytes, body.contentType, options.fieldValidation);
  for (const text of warnings) call.warn(text);
  return asObject(object);
}

/** The same for a value that a patch made. */
export function readValue<Row>(call: Call<Row>, expected: Expected, value: unknown, options: WriteOptions): KubeObject {
  const { object, warnings } = decodeValue(expected, value, options.fieldValidation);
  for (const text of warnings) call.warn(text);
  return asObject(object);
}

/** JSON of a patch. Throws BadRequest for what does not parse or nests too deep. */
export function readPatch(body: Body): unknown {
  const text = body.bytes.toString('utf8');
  if (scanJson(text, maxDepth).tooDeep) throw badRequest(`the patch nests deeper than ${maxDepth} levels`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`error decoding patch: ${error instanceof Error ? error.message : 'it does not parse'}`, error);
  }
}

function asObject(fields: Fields): KubeObject {
  const metadata = { name: '', ...fieldsOf(fields['metadata']) }; // '' until the address or generateName gives one
  return { ...fields, metadata } as unknown as KubeObject; // decoding has checked every field, apiVersion and kind among them
}
