import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../../src/cel/kubernetes.ts';
import {
  authorizerType,
  authorizerValue,
  requestResourceType,
  requestResourceValue,
  type AuthorizerCheck,
} from '../../../src/cel/library/authorizer.ts';
import { shown } from '../support/evaluate.ts';

const environment = kubernetesEnvironment({
  authorizer: authorizerType,
  'authorizer.requestResource': requestResourceType,
});

function asked(source: string): { checks: AuthorizerCheck[]; result: string } {
  const made = compile(source, environment);
  if ('issues' in made) throw new Error(made.issues[0]?.message);
  const checks: AuthorizerCheck[] = [];
  const ask = (check: AuthorizerCheck) => {
    checks.push(check);
    if (check.verb === 'break') return { allowed: false, reason: '', error: 'no store' };
    return { allowed: check.verb === 'get', reason: 'by a rule' };
  };
  const bindings = {
    authorizer: authorizerValue(ask),
    'authorizer.requestResource': requestResourceValue(ask, {
      group: 'apps',
      resource: 'deployments',
      subresource: '',
      namespace: 'shop',
      name: 'web',
    }),
  };
  return { checks, result: shown(made.compiled.evaluate(bindings, { remaining: 10_000_000 })) };
}

const nothing = { group: '', resource: '', subresource: '', namespace: '', name: '' };

describe('what an expression asks the authorizer', () => {
  test.for<[string, AuthorizerCheck, string]>([
    [
      "authorizer.group('apps').resource('deployments').subresource('scale').namespace('shop').name('web').check('get').allowed()",
      { verb: 'get', group: 'apps', resource: 'deployments', subresource: 'scale', namespace: 'shop', name: 'web' },
      'true',
    ],
    ["authorizer.path('/healthz').check('get').reason()", { ...nothing, verb: 'get', path: '/healthz' }, '"by a rule"'],
    [
      "authorizer.serviceAccount('ns', 'robot').group('').resource('pods').check('list').allowed()",
      { ...nothing, resource: 'pods', verb: 'list', serviceAccount: { namespace: 'ns', name: 'robot' } },
      'false',
    ],
    [
      "authorizer.requestResource.subresource('status').check('update').allowed()",
      { verb: 'update', group: 'apps', resource: 'deployments', subresource: 'status', namespace: 'shop', name: 'web' },
      'false',
    ],
    [
      "authorizer.group('').resource('pods').labelSelector('a=b').fieldSelector('spec.nodeName=x').check('get').allowed()",
      { ...nothing, resource: 'pods', labelSelector: 'a=b', fieldSelector: 'spec.nodeName=x', verb: 'get' },
      'true',
    ],
    ["authorizer.path('/').check('break').error()", { ...nothing, verb: 'break', path: '/' }, '"no store"'],
    ["authorizer.path('/').check('break').errored()", { ...nothing, verb: 'break', path: '/' }, 'true'],
  ])('%s', ([source, check, result]) => {
    expect(asked(source)).toEqual({ checks: [check], result });
  });

  test('two checks are all that one expression may cost', () => {
    const check = (verb: string): string => `authorizer.path('/').check('${verb}').allowed()`;
    expect(asked(`${check('a')} || ${check('get')}`).result).toBe('true');
    const third = asked(`${check('a')} || ${check('b')} || ${check('get')}`);
    expect(third.result).toContain('cost limit exceeded');
    expect(third.checks).toHaveLength(2);
  });
});
