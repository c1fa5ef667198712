/**
 * Who asks for a certificate is who sent the request: signers rely on these fields, so a client's own words about
 * them are replaced. Source: certificates.k8s.io/v1, CertificateSigningRequestSpec.
 */
import { fieldsOf, without } from '../../std/value.ts';
import type { Mutator } from './chain.ts';

/** Sets username, uid, groups and extra of a new CertificateSigningRequest from its sender. */
export const withRequester: Mutator = async (_deps, request, object) => {
  if (request.resource !== 'certificatesigningrequests.certificates.k8s.io' || request.operation !== 'CREATE')
    return object;
  const { name, uid, groups, extra } = request.user;
  return {
    ...object,
    spec: {
      ...without(fieldsOf(object['spec']), 'username', 'uid', 'groups', 'extra'),
      username: name,
      groups,
      ...(uid === '' ? {} : { uid }),
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    },
  };
};
