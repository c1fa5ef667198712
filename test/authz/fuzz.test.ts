import { expect, test } from 'vitest';
import type { AccessRequest } from '../../src/api/access.ts';
import type { KubeObject } from '../../src/api/meta.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { oracleAllows } from './oracle.ts';

/** Numbers that look random and are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

// Few names, so that they meet; some of them would mean something to a pattern, a joined key, Casbin's text or JavaScript.
const people = ['ann', 'bob', '*', 'ann, bob', 'p, b0.0', 'x"\n p, *', '__proto__', 'system:serviceaccount:n1:ann', ''];
const groups = ['ann', 'team', '*', 'r.request', '"] || true || ["', 'system:authenticated', 'system:mastersx'];
const namespaces = ['n1', 'n2', '*', 'constructor'];
const verbs = ['get', 'list', 'create', '*', 'g*'];
const apiGroups = ['', 'apps', '*'];
const resources = ['pods', 'secrets', '*', 'pods/log', '*/log', 'pods/*', '*/*', 'toString'];
const names = ['a', 'b', '*', 'a,b'];
const urls = ['*', '/a', '/a*', '/a/*', '/a/**', '/', ''];
const labels = ['x', 'y'];

function world(random: () => number) {
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? '';
  const some = (from: readonly string[], most: number): readonly string[] =>
    Array.from({ length: Math.floor(random() * (most + 0.9)) + (random() < 0.9 ? 1 : 0) }, () => pick(from));
  const apiVersion = 'rbac.authorization.k8s.io/v1';

  const rule = (): unknown =>
    random() < 0.2
      ? { verbs: some(verbs, 2), nonResourceURLs: some(urls, 2) }
      : {
          verbs: some(verbs, 2),
          apiGroups: some(apiGroups, 2),
          resources: some(resources, 2),
          ...(random() < 0.3 ? { resourceNames: some(names, 2) } : {}),
        };
  const rules = (): readonly unknown[] => Array.from({ length: Math.floor(random() * 5) }, rule);
  const subject = (): unknown => {
    const kind = pick(['User', 'Group', 'ServiceAccount', 'Robot']);
    return kind === 'Group'
      ? { kind, name: pick(groups) }
      : { kind, name: pick(people), ...(random() < 0.5 ? { namespace: pick(namespaces) } : {}) };
  };
  const object = (): KubeObject => {
    const name = `${Math.floor(random() * 4)}`;
    const namespace = pick(namespaces);
    switch (
      pick(['Role', 'ClusterRole', 'ClusterRole', 'Aggregated', 'RoleBinding', 'RoleBinding', 'ClusterRoleBinding'])
    ) {
      case 'Role':
        return { apiVersion, kind: 'Role', metadata: { name, namespace }, rules: rules() };
      case 'ClusterRole':
        return {
          apiVersion,
          kind: 'ClusterRole',
          metadata: { name, ...(random() < 0.5 ? { labels: { [pick(labels)]: 'true' } } : {}) },
          rules: rules(),
        };
      case 'Aggregated':
        return {
          apiVersion,
          kind: 'ClusterRole',
          metadata: { name, labels: { [pick(labels)]: 'true' } },
          aggregationRule: { clusterRoleSelectors: some(labels, 2).map((key) => ({ matchLabels: { [key]: 'true' } })) },
          rules: rules(),
        };
      case 'RoleBinding':
        return {
          apiVersion,
          kind: 'RoleBinding',
          metadata: { name, namespace },
          roleRef: { kind: pick(['Role', 'ClusterRole']), name: `${Math.floor(random() * 4)}` },
          subjects: Array.from({ length: Math.floor(random() * 7) }, subject),
        };
      default:
        return {
          apiVersion,
          kind: 'ClusterRoleBinding',
          metadata: { name },
          roleRef: { kind: pick(['Role', 'ClusterRole', 'ClusterRole']), name: `${Math.floor(random() * 4)}` },
          subjects: Array.from({ length: Math.floor(random() * 7) }, subject),
        };
    }
  };
  const request = (): AccessRequest => {
    const user = {
      name: pick([...people, 'system:serviceaccount:n1:bob', 'system:serviceaccount:*:*']),
      uid: '',
      groups: some(groups, 2),
      extra: {},
    };
    if (random() < 0.2) return { kind: 'path', user, verb: pick(verbs), path: pick([...urls, '/a/b', '/ab']) };
    return {
      kind: 'resource',
      user,
      verb: pick(verbs),
      group: pick(apiGroups),
      version: 'v1',
      resource: pick(['pods', 'secrets', 'toString', '*']),
      subresource: pick(['', '', 'log', '*']),
      namespace: pick(['', ...namespaces]),
      name: pick(['', ...names]),
    };
  };
  return { object, request, random };
}

const sameObject = (a: KubeObject, b: KubeObject): boolean =>
  a.kind === b.kind && a.metadata.name === b.metadata.name && a.metadata.namespace === b.metadata.namespace;

test.for(Array.from({ length: 12 }, (_, index) => index + 1))(
  'with policy changing in between, every decision is the oracle’s (seed %i)',
  (seed) => {
    const { object, request, random } = world(seeded(seed));
    const authorizer = createAuthorizer({
      cached: 200, // so small that entries are also evicted
      onError: (error) => {
        throw error;
      },
    });
    let objects: readonly KubeObject[] = [];
    let allowed = 0;
    const wrong: unknown[] = [];
    const asked: AccessRequest[] = [];
    for (let step = 0; step < 3000; step++) {
      if (random() < 0.2) {
        const changed = object();
        objects = objects.filter((other) => !sameObject(other, changed));
        if (random() < 0.25) authorizer.observe({ kind: 'delete', object: changed });
        else {
          objects = [...objects, changed];
          authorizer.observe({ kind: 'set', object: changed });
        }
      }
      // Half of the questions are old ones: those may come from the cache.
      const old = asked[Math.floor(random() * asked.length * 2)];
      const question = old ?? request();
      asked.push(question);
      const decision = authorizer.authorize(question);
      if (decision.allowed) allowed++;
      if (decision.allowed !== oracleAllows(objects, question)) wrong.push({ step, question, decision, objects });
    }
    expect(wrong.slice(0, 1)).toEqual([]);
    expect(allowed).toBeGreaterThan(100); // or the questions were too easy
  },
);
