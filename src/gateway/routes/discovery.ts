/** What this server offers: /api, /apis and below, aggregated (v2, v2beta1) or plain. */
import {
  aggregatedDiscovery,
  coreVersions,
  groupDocument,
  groupList,
  resourceList,
} from '../../api/schema/discovery.ts';
import { apiVersionOf } from '../../api/meta.ts';
import { header, jsonAnswer, type Answer } from '../inbound.ts';
import type { Kinds } from '../kinds.ts';
import { negotiateAs } from '../negotiate.ts';
import { pageNotFound, type PathHandler } from '../router.ts';

const group = 'apidiscovery.k8s.io';
const kind = 'APIGroupDiscoveryList';
const forms = [
  { group, version: 'v2', kind },
  { group, version: 'v2beta1', kind },
] as const;

/** /api: the core group. */
export function coreDiscovery(kinds: Kinds): PathHandler {
  return ({ inbound }) => aggregatedOr(kinds, 'api', header(inbound, 'accept'), () => coreVersions(kinds.all()));
}

/** /apis: every named group. */
export function groupsDiscovery(kinds: Kinds): PathHandler {
  return ({ inbound }) => aggregatedOr(kinds, 'apis', header(inbound, 'accept'), () => groupList(kinds.all()));
}

/** /api/v1, /apis/GROUP and /apis/GROUP/VERSION. Throws NotFound for what is not served. */
export function groupDiscovery(kinds: Kinds): PathHandler {
  return (_request, { path }) => {
    const [, prefix, first = '', second, more] = path.split('/');
    if (more !== undefined || (prefix === 'api' && second !== undefined)) throw pageNotFound();
    if (prefix === 'api') return found(resourceList(kinds.all(), first));
    if (second !== undefined) return found(resourceList(kinds.all(), apiVersionOf(first, second)));
    return found(groupDocument(kinds.all(), first));
  };
}

function aggregatedOr(kinds: Kinds, root: 'api' | 'apis', accept: string, plain: () => object): Answer {
  const form = forms[negotiateAs(accept, forms) ?? -1];
  if (form === undefined) return jsonAnswer(200, plain());
  const answer = jsonAnswer(200, aggregatedDiscovery(kinds.all(), root, form.version), { vary: 'Accept' });
  return { ...answer, contentType: `application/json;g=${group};v=${form.version};as=${kind}` };
}

function found(document: object | undefined): Answer {
  if (document === undefined) throw pageNotFound();
  return jsonAnswer(200, document);
}
