/** What a pod, and everything that has a pod template, is filled in with. Source: Kubernetes API reference, core/v1. */
import type { Fields } from './conform.ts';
import { all, at, each, fill, listIn, structIn, when } from './rules.ts';
import type { Rule } from './rules.ts';

const httpGet = at('httpGet', fill({ path: '/', scheme: 'HTTP' }));

const probe = all(
  fill({ timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }),
  httpGet,
  at('grpc', fill({ service: '' })),
);

const fieldRef = at('fieldRef', fill({ apiVersion: 'v1' }));

const container = all(
  (fields) => fill({ imagePullPolicy: pullPolicy(fields['image']) })(fields),
  fill({ terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' }),
  each('ports', fill({ protocol: 'TCP' })),
  each('env', at('valueFrom', fieldRef)),
  at('livenessProbe', probe),
  at('readinessProbe', probe),
  at('startupProbe', probe),
  at('lifecycle', at('postStart', httpGet), at('preStop', httpGet)),
);

/** rw-r--r--, as the API writes modes: in decimal. */
const fileMode = fill({ defaultMode: 0o644 });
const downward = each('items', fieldRef);

const volume = all(
  when((fields) => Object.keys(fields).every((name) => name === 'name'), fill({ emptyDir: {} })),
  at('secret', fileMode),
  at('configMap', fileMode),
  at('downwardAPI', fileMode, downward),
  at(
    'projected',
    fileMode,
    each('sources', at('serviceAccountToken', fill({ expirationSeconds: 3600 })), at('downwardAPI', downward)),
  ),
  at('hostPath', fill({ type: '' })),
  at('ephemeral', at('volumeClaimTemplate', at('spec', fill({ volumeMode: 'Filesystem' })))),
  at('image', (fields) => fill({ pullPolicy: pullPolicy(fields['reference']) })(fields)),
  at('iscsi', fill({ iscsiInterface: 'default' })),
  at('rbd', fill({ pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' })),
  at('azureDisk', fill({ cachingMode: 'ReadWrite', fsType: 'ext4', readOnly: false, kind: 'Shared' })),
  at('scaleIO', fill({ storageMode: 'ThinProvisioned', fsType: 'xfs' })),
);

const podSpec = all(
  fill({
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  }),
  each('containers', container),
  each('initContainers', container),
  each('ephemeralContainers', container),
  each('volumes', volume),
  when((fields) => fields['hostNetwork'] === true, each('containers', hostPorts), each('initContainers', hostPorts)),
  sameAccount,
);

/** For a field `template` that holds a pod template. */
export const podTemplate: Rule = at('template', at('spec', podSpec));

/** For a Pod itself, which gets a little more than a template. */
export const pod: Rule = at(
  'spec',
  fill({ enableServiceLinks: true }),
  podSpec,
  each('containers', at('resources', requestsFromLimits)),
  each('initContainers', at('resources', requestsFromLimits)),
);

/** An image without a tag, or tagged latest, may change under its name; one named by digest never does. */
function pullPolicy(image: unknown): string {
  if (typeof image !== 'string' || image.includes('@')) return 'IfNotPresent';
  const tag = /:([^:/]*)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** What is limited but not requested is requested at its limit. */
function requestsFromLimits(resources: Fields): Fields {
  const limits = structIn(resources, 'limits');
  return limits === undefined
    ? resources
    : { ...resources, requests: { ...limits, ...structIn(resources, 'requests') } };
}

/** In the host's network a container's port is the host's. */
function hostPorts(fields: Fields): Fields {
  if (listIn(fields, 'ports').length === 0) return fields;
  return each('ports', (port) => fill({ hostPort: port['containerPort'] })(port))(fields);
}

/** `serviceAccount` is the old name of `serviceAccountName`; both are always shown. */
function sameAccount(fields: Fields): Fields {
  const name = fields['serviceAccountName'] ?? fields['serviceAccount'];
  return name === undefined || (name === fields['serviceAccount'] && name === fields['serviceAccountName'])
    ? fields
    : { ...fields, serviceAccountName: name, serviceAccount: name };
}
