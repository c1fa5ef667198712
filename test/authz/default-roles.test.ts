import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/api/meta.ts';
import { planDefaultRoles } from '../../src/authz/default-roles.ts';
import { ann, readPods } from './support.ts';

const all = planDefaultRoles([]).create;
const nothing = { remove: [], create: [], update: [] };

function changing(kind: string, name: string, change: (object: KubeObject) => KubeObject): readonly KubeObject[] {
  return all.map((object) => (object.kind === kind && object.metadata.name === name ? change(object) : object));
}

describe('default roles', () => {
  test('are left alone when they are all there', () => {
    expect(planDefaultRoles(all)).toEqual(nothing);
  });

  test('have one name each', () => {
    const names = all.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test('bind only to roles that exist', () => {
    const roles = new Set(all.filter(({ kind }) => kind.endsWith('Role')).map(({ metadata }) => metadata.name));
    const refs = all.flatMap(({ roleRef }) => (roleRef === undefined ? [] : [(roleRef as { name: string }).name]));
    expect(refs.filter((name) => !roles.has(name))).toEqual([]);
  });

  test('get back a rule they lost, keep one they gained, and are then left alone', () => {
    const changed = changing('ClusterRole', 'system:basic-user', (object) => ({ ...object, rules: [readPods] }));
    const { update } = planDefaultRoles(changed);
    expect(update).toHaveLength(1);
    expect(update[0]?.['rules']).toContainEqual({ verbs: readPods.verbs, apiGroups: [''], resources: ['pods'] });
    const mended = changing('ClusterRole', 'system:basic-user', () => update[0] as KubeObject);
    expect(planDefaultRoles(mended)).toEqual(nothing);
  });

  test('get back a subject they lost and keep one they gained', () => {
    const changed = changing('ClusterRoleBinding', 'system:discovery', (object) => ({ ...object, subjects: [ann] }));
    const { update } = planDefaultRoles(changed);
    expect(update[0]?.['subjects']).toEqual([ann, expect.objectContaining({ name: 'system:authenticated' })]);
  });

  test('are made anew when a binding refers elsewhere, because a roleRef cannot change', () => {
    const changed = changing('ClusterRoleBinding', 'system:discovery', (object) => ({
      ...object,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    }));
    const plan = planDefaultRoles(changed);
    expect([plan.remove.length, plan.create.length, plan.update.length]).toEqual([1, 1, 0]);
  });

  test('stay as somebody wants them under autoupdate=false', () => {
    const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
    const changed = changing('ClusterRole', 'system:basic-user', (object) => ({
      ...object,
      metadata: { ...object.metadata, annotations },
      rules: [],
    }));
    expect(planDefaultRoles(changed)).toEqual(nothing);
  });
});
