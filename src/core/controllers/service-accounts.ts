/** Every namespace has a `default` service account and the CA by which its pods trust the gateway. */
import { ignoring } from '../cluster/ignoring.ts';
import { configMaps, serviceAccounts as serviceAccountsRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { rootCAName, whenAllSynced } from './context.ts';
import { startController } from './controller.ts';

/** Runs until the context's signal aborts. `ca` is the PEM that pods are to trust. */
export async function runServiceAccounts(context: ControllerContext, ca: string): Promise<void> {
  const { informers, signal } = context;
  const accountsClient = context.clientFor('service-account-controller');
  const rootCAClient = context.clientFor('root-ca-cert-publisher');

  const live = (namespace: string): boolean => {
    const object = informers.namespaces.get('', namespace);
    return object !== undefined && object.metadata.deletionTimestamp === undefined;
  };
  const accounts = startController({
    ...context,
    name: 'service-account-controller',
    reconcile: async (namespace) => {
      if (!live(namespace) || informers.serviceAccounts.get(namespace, 'default') !== undefined) return {};
      await ignoring(['AlreadyExists'], () =>
        accountsClient.create(serviceAccountsRef, { metadata: { namespace, name: 'default' } }, signal),
      );
      return {};
    },
  });
  const rootCAs = startController({
    ...context,
    name: 'root-ca-cert-publisher',
    reconcile: async (namespace) => {
      if (!live(namespace)) return {};
      const known = informers.rootCAs.get(namespace, rootCAName);
      const data = { 'ca.crt': ca };
      if (known === undefined) {
        await ignoring(['AlreadyExists'], () =>
          rootCAClient.create(configMaps, { metadata: { namespace, name: rootCAName }, data }, signal),
        );
      } else if (known.data?.['ca.crt'] !== ca || Object.keys(known.data).length !== 1) {
        await rootCAClient.update(configMaps, { ...known, data }, undefined, signal);
      }
      return {};
    },
  });

  await whenAllSynced([informers.namespaces, informers.serviceAccounts, informers.rootCAs], signal);
  informers.namespaces.onChange((event) => {
    if (event.kind === 'deleted') return;
    accounts.enqueue(event.object.metadata.name);
    rootCAs.enqueue(event.object.metadata.name);
  });
  informers.serviceAccounts.onChange((event) => {
    if (event.kind === 'deleted') accounts.enqueue(event.previous.metadata.namespace ?? '');
  });
  informers.rootCAs.onChange((event) => {
    rootCAs.enqueue((event.kind === 'deleted' ? event.previous : event.object).metadata.namespace ?? '');
  });
  for (const { metadata } of informers.namespaces.list()) {
    accounts.enqueue(metadata.name);
    rootCAs.enqueue(metadata.name);
  }
}
