import { withCrd } from './crd.mjs';

const words = (line) => line.trim().split(/\s+/);
const lines = (text) => text.trim().split('\n');
/** Rows of a printed table as objects keyed by header; columns are found by where the header puts them. */
function rows(text) {
  const [head, ...body] = text.replace(/\n+$/, '').split('\n');
  const columns = [...head.matchAll(/\S+/g)].map((m) => ({ key: m[0], at: m.index }));
  return body.map((line) =>
    Object.fromEntries(columns.map((c, i) => [c.key, line.slice(c.at, columns[i + 1]?.at).trim()])),
  );
}

export const checks = {
  name: 'discovery',
  checks: [
    {
      name: 'api-resources columns and well-known rows',
      async run(t) {
        const out = await t.ok('api-resources');
        t.equal(words(lines(out)[0]), ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND'], 'header');
        const all = rows(out);
        const expected = [
          ['configmaps', 'cm', 'v1', 'true', 'ConfigMap'],
          ['endpoints', 'ep', 'v1', 'true', 'Endpoints'],
          ['namespaces', 'ns', 'v1', 'false', 'Namespace'],
          ['nodes', 'no', 'v1', 'false', 'Node'],
          ['persistentvolumeclaims', 'pvc', 'v1', 'true', 'PersistentVolumeClaim'],
          ['pods', 'po', 'v1', 'true', 'Pod'],
          ['secrets', '', 'v1', 'true', 'Secret'],
          ['serviceaccounts', 'sa', 'v1', 'true', 'ServiceAccount'],
          ['services', 'svc', 'v1', 'true', 'Service'],
          ['daemonsets', 'ds', 'apps/v1', 'true', 'DaemonSet'],
          ['deployments', 'deploy', 'apps/v1', 'true', 'Deployment'],
          ['replicasets', 'rs', 'apps/v1', 'true', 'ReplicaSet'],
          ['statefulsets', 'sts', 'apps/v1', 'true', 'StatefulSet'],
          ['cronjobs', 'cj', 'batch/v1', 'true', 'CronJob'],
          ['jobs', '', 'batch/v1', 'true', 'Job'],
          ['horizontalpodautoscalers', 'hpa', 'autoscaling/v2', 'true', 'HorizontalPodAutoscaler'],
          ['poddisruptionbudgets', 'pdb', 'policy/v1', 'true', 'PodDisruptionBudget'],
          ['networkpolicies', 'netpol', 'networking.k8s.io/v1', 'true', 'NetworkPolicy'],
          ['ingresses', 'ing', 'networking.k8s.io/v1', 'true', 'Ingress'],
          ['clusterroles', '', 'rbac.authorization.k8s.io/v1', 'false', 'ClusterRole'],
          ['rolebindings', '', 'rbac.authorization.k8s.io/v1', 'true', 'RoleBinding'],
          ['customresourcedefinitions', 'crd,crds', 'apiextensions.k8s.io/v1', 'false', 'CustomResourceDefinition'],
          ['leases', '', 'coordination.k8s.io/v1', 'true', 'Lease'],
          ['storageclasses', 'sc', 'storage.k8s.io/v1', 'false', 'StorageClass'],
          ['priorityclasses', 'pc', 'scheduling.k8s.io/v1', 'false', 'PriorityClass'],
        ];
        for (const [NAME, SHORTNAMES, APIVERSION, NAMESPACED, KIND] of expected) {
          const row = all.find((r) => r.NAME === NAME && r.APIVERSION === APIVERSION);
          t.equal(row, { NAME, SHORTNAMES, APIVERSION, NAMESPACED, KIND }, `the row of ${NAME}`);
        }
      },
    },

    {
      name: 'api-resources -o wide shows verbs and categories',
      async run(t) {
        const out = await t.ok('api-resources', '-o', 'wide');
        t.equal(
          words(lines(out)[0]),
          ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND', 'VERBS', 'CATEGORIES'],
          'header',
        );
        const row = (name, version) => rows(out).find((r) => r.NAME === name && r.APIVERSION === version);
        const full = 'create,delete,deletecollection,get,list,patch,update,watch';
        const verbs = (name, version) => row(name, version)?.VERBS.split(',').toSorted().join(',');
        t.equal([verbs('pods', 'v1'), row('pods', 'v1').CATEGORIES], [full, 'all'], 'pods');
        t.equal(
          [verbs('deployments', 'apps/v1'), row('deployments', 'apps/v1').CATEGORIES],
          [full, 'all'],
          'deployments',
        );
        t.equal([verbs('configmaps', 'v1'), row('configmaps', 'v1').CATEGORIES], [full, ''], 'configmaps');
        t.equal(verbs('selfsubjectaccessreviews', 'authorization.k8s.io/v1'), 'create', 'selfsubjectaccessreviews');
        t.equal(verbs('bindings', 'v1'), 'create', 'bindings');
      },
    },

    {
      name: 'api-resources filters: --api-group, --namespaced, --verbs, --categories',
      async run(t) {
        t.equal(
          lines(await t.ok('api-resources', '--api-group=apps', '-o', 'name')).toSorted(),
          ['controllerrevisions.apps', 'daemonsets.apps', 'deployments.apps', 'replicasets.apps', 'statefulsets.apps'],
          'apps',
        );
        const cluster = lines(await t.ok('api-resources', '--namespaced=false', '-o', 'name'));
        t.assert(
          cluster.includes('nodes') &&
            cluster.includes('clusterroles.rbac.authorization.k8s.io') &&
            !cluster.includes('pods'),
          'cluster-scoped kinds',
        );
        const listable = lines(await t.ok('api-resources', '--verbs=list,watch', '-o', 'name'));
        t.assert(
          listable.includes('pods') && !listable.includes('tokenreviews.authentication.k8s.io'),
          'listable kinds',
        );
        const category = lines(await t.ok('api-resources', '--categories=all', '-o', 'name'));
        t.assert(
          category.includes('services') && category.includes('jobs.batch') && !category.includes('configmaps'),
          'category all',
        );
      },
    },

    {
      name: 'api-versions',
      async run(t) {
        const versions = lines(await t.ok('api-versions'));
        const wanted = [
          'v1',
          'admissionregistration.k8s.io/v1',
          'apiextensions.k8s.io/v1',
          'apiregistration.k8s.io/v1',
          'apps/v1',
          'authentication.k8s.io/v1',
          'authorization.k8s.io/v1',
          'autoscaling/v1',
          'autoscaling/v2',
          'batch/v1',
          'certificates.k8s.io/v1',
          'coordination.k8s.io/v1',
          'discovery.k8s.io/v1',
          'events.k8s.io/v1',
          'flowcontrol.apiserver.k8s.io/v1',
          'networking.k8s.io/v1',
          'node.k8s.io/v1',
          'policy/v1',
          'rbac.authorization.k8s.io/v1',
          'scheduling.k8s.io/v1',
          'storage.k8s.io/v1',
        ];
        t.equal(
          wanted.filter((v) => !versions.includes(v)),
          [],
          'missing versions',
        );
      },
    },

    {
      name: 'version, and /version raw',
      async run(t) {
        const { serverVersion } = JSON.parse(await t.ok('version', '-o', 'json'));
        t.equal(serverVersion.major, '1', 'major');
        t.match(serverVersion.minor, /^\d+\+?$/, 'minor');
        t.match(serverVersion.gitVersion, /^v1\.\d+\.\d+/, 'gitVersion');
        t.equal(JSON.parse(await t.raw('/version')).gitVersion, serverVersion.gitVersion, 'raw gitVersion');
        t.match(await t.ok('version'), /^Server Version: .*\bv1\.\d+/m); // 1.27 writes a whole struct there
      },
    },

    {
      name: 'explain pods.spec.containers with field types',
      async run(t) {
        const out = await t.ok('explain', 'pods.spec.containers');
        t.match(out, /^KIND:\s+Pod$/m);
        t.match(out, /^VERSION:\s+v1$/m);
        t.match(out, /^FIELD: containers <\[\]Container>/m);
        for (const [field, type] of [
          ['args', '\\[\\]string'],
          ['command', '\\[\\]string'],
          ['env', '\\[\\]EnvVar'],
          ['image', 'string'],
          ['imagePullPolicy', 'string'],
          ['livenessProbe', 'Probe'],
          ['ports', '\\[\\]ContainerPort'],
          ['resources', 'ResourceRequirements'],
          ['stdin', 'boolean'],
          ['volumeMounts', '\\[\\]VolumeMount'],
        ]) {
          t.match(out, new RegExp(`^\\s+${field}\\s+<${type}>`, 'm'), `type of ${field}`);
        }
        t.match(out, /^\s+name\s+<string>\s+-required-/m, 'name is required');
      },
    },

    {
      name: 'explain a leaf, a map, a group, and a field that is not there',
      async run(t) {
        t.match(await t.ok('explain', 'pods.spec.containers.ports.containerPort'), /^FIELD: containerPort <integer>/m);
        t.match(await t.ok('explain', 'pods.metadata.labels'), /^FIELD: labels <map\[string\]string>/m);
        const deploy = await t.ok('explain', 'deploy.spec');
        t.match(deploy, /^GROUP:\s+apps$/m);
        t.match(deploy, /^KIND:\s+Deployment$/m);
        t.match(deploy, /^FIELD: spec <DeploymentSpec>/m);
        t.match(deploy, /^\s+replicas\s+<integer>/m);
        t.match(deploy, /^\s+selector\s+<LabelSelector>\s+-required-/m);
        t.match(await t.ok('explain', 'cronjob.spec', '--recursive'), /^\s+containerPort\s+<integer>/m, 'recursive');
        await t.refused(/field ".*nosuch.*" does not exist/, 'explain', 'pods.spec.nosuch');
      },
    },

    {
      name: 'health endpoints',
      async run(t) {
        t.equal(await t.raw('/healthz'), 'ok', '/healthz');
        t.equal(await t.raw('/livez'), 'ok', '/livez');
        t.equal(await t.raw('/readyz'), 'ok', '/readyz');
        const verbose = await t.raw('/readyz?verbose');
        t.match(verbose, /^\[\+\]ping ok$/m);
        t.match(verbose, /^readyz check passed$/m);
        t.match(await t.raw('/livez?verbose'), /^livez check passed$/m);
        t.equal(await t.raw('/livez/ping'), 'ok', '/livez/ping');
      },
    },

    {
      name: '/openapi/v3 lists the group versions and serves their schemas',
      async run(t) {
        const { paths } = JSON.parse(await t.raw('/openapi/v3'));
        for (const path of ['api/v1', 'apis/apps/v1', 'apis/batch/v1', 'apis/rbac.authorization.k8s.io/v1'])
          t.match(paths[path]?.serverRelativeURL ?? '', new RegExp(`^/openapi/v3/${path}(\\?hash=|$)`), path);
        const core = JSON.parse(await t.raw(paths['api/v1'].serverRelativeURL));
        t.match(core.openapi, /^3\./, 'openapi');
        const pod = core.components.schemas['io.k8s.api.core.v1.Pod'];
        t.assert(
          pod['x-kubernetes-group-version-kind']?.some((g) => g.group === '' && g.kind === 'Pod' && g.version === 'v1'),
          'Pod carries its group, version and kind',
        );
        t.assert(core.paths['/api/v1/namespaces/{namespace}/pods/{name}']?.patch, 'the pod path has a PATCH');
        t.equal(core.components.schemas['io.k8s.api.core.v1.PodSpec'].required, ['containers'], 'required of PodSpec');
      },
    },

    {
      name: '/api, /apis and a resource list, raw',
      async run(t) {
        const api = JSON.parse(await t.raw('/api'));
        t.equal([api.kind, api.versions], ['APIVersions', ['v1']], '/api');
        const apis = JSON.parse(await t.raw('/apis'));
        t.equal(apis.kind, 'APIGroupList', '/apis');
        t.equal(apis.groups.find((g) => g.name === 'apps')?.preferredVersion.groupVersion, 'apps/v1', 'apps');
        t.equal(JSON.parse(await t.raw('/apis/batch')).kind, 'APIGroup', '/apis/batch');
        const core = JSON.parse(await t.raw('/api/v1'));
        t.equal([core.kind, core.groupVersion], ['APIResourceList', 'v1'], '/api/v1');
        const names = core.resources.map((r) => r.name);
        for (const name of [
          'pods',
          'pods/log',
          'pods/exec',
          'pods/status',
          'pods/eviction',
          'serviceaccounts/token',
          'namespaces/finalize',
          'services/proxy',
        ])
          t.assert(names.includes(name), `${name} is listed`);
        const pods = core.resources.find((r) => r.name === 'pods');
        t.equal(
          [pods.singularName, pods.kind, pods.namespaced, pods.shortNames, pods.categories],
          ['pod', 'Pod', true, ['po'], ['all']],
          'pods',
        );
        await t.refused(
          /Error from server \(NotFound\): the server could not find the requested resource/,
          'get',
          '--raw',
          '/apis/nosuch.example.com/v1',
        );
      },
    },

    {
      name: 'cluster-info',
      async run(t) {
        t.match(await t.ok('cluster-info'), /Kubernetes control plane.* is running at .*https?:\/\//);
      },
    },

    {
      name: 'short, singular and fully qualified names',
      async run(t) {
        await t.create(t.deployment('names', 0));
        for (const form of ['deploy', 'deployment', 'deployments', 'deployment.apps', 'deployments.v1.apps'])
          t.equal(await t.ok('get', form, 'names', '-o', 'name'), 'deployment.apps/names\n', form);
        t.equal(await t.ok('get', 'deploy/names', '-o', 'jsonpath={.apiVersion}'), 'apps/v1', 'apiVersion');
        t.match(await t.ok('get', 'all', '-o', 'name'), /^deployment\.apps\/names$/m, 'the category all');
      },
    },

    {
      name: 'a CRD shows up in api-resources, explain and /apis, and goes away again',
      async run(t) {
        let group;
        await withCrd(
          t,
          {
            spec: {
              type: 'object',
              required: ['size'],
              properties: {
                size: { type: 'integer', description: 'How large it is.' },
                tags: { type: 'array', items: { type: 'string' } },
              },
            },
          },
          async (crd) => {
            group = crd.group;
            t.equal(
              lines(await t.ok('api-resources', `--api-group=${group}`, '-o', 'name')),
              [`widgets.${group}`],
              'api-resources',
            );
            t.equal(
              JSON.parse(await t.raw(`/apis/${group}`)).preferredVersion.groupVersion,
              `${group}/v1`,
              'preferred version',
            );
            const out = await t.until('the schema to be published', () => t.ok('explain', `${crd.resource}.spec`));
            t.match(out, /^\s+size\s+<integer>\s+-required-/m);
            t.match(out, /^\s+tags\s+<\[\]string>/m);
            t.match(out, /How large it is\./);
          },
        );
        await t.until('the group to be gone', async () =>
          (await t.kubectl(['get', '--raw', `/apis/${group}`])).err.includes('NotFound'),
        );
      },
    },
  ],
};
