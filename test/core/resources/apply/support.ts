/** Short ways to apply through the one write path, and to see who owns what. */
import type { KubeObject } from '../../../../src/api/meta.ts';
import { StatusError } from '../../../../src/api/status.ts';
import type { ManagedFieldsEntry } from '../../../../src/api/types/meta.ts';
import type { WriteOptions } from '../../../../src/core/resources/resources.ts';
import type { Harness } from '../harness.ts';

/** Where `cm` lies. */
export const path = 'configmaps/a';

export const cm = (data: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', ...metadata },
  data,
});

export const as = (fieldManager: string, more: Partial<WriteOptions> = {}): Partial<WriteOptions> => ({
  fieldManager,
  ...more,
});

/** Applies in `h`, as it is at the time of the call. */
export const applier =
  (h: () => Harness) =>
  async (manager: string, config: object, to = path, more: Partial<WriteOptions> = {}): Promise<KubeObject> =>
    await h().patch(to, 'apply', config, as(manager, more));

/** What `work` is refused with; throws when it is not. */
export async function failure(work: Promise<unknown>): Promise<StatusError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StatusError)) throw new Error('nothing was refused', { cause: error });
  return error;
}

export function entries(object: KubeObject): readonly ManagedFieldsEntry[] {
  return object.metadata.managedFields ?? [];
}

/** What one manager owns. */
export function owner(object: KubeObject, manager: string, operation = 'Apply', subresource = ''): unknown {
  return entries(object).find(
    (entry) => entry.manager === manager && entry.operation === operation && (entry.subresource ?? '') === subresource,
  )?.fieldsV1;
}
