import { expect, test } from 'vitest';
import type { AccessRequest, ResourceAccess } from '../../src/api/access.ts';
import type { PolicyRule } from '../../src/api/types/rbac.ts';
import { compileRule } from '../../src/authz/compile.ts';
import { grants } from '../../src/authz/rule.ts';
import { access, readPods, userNamed } from './support.ts';

interface Row {
  readonly guarantees: string;
  readonly rule?: Partial<PolicyRule>;
  readonly request?: Partial<ResourceAccess>;
  readonly granted: boolean;
}

const named = { resourceNames: ['a'] };

test.for<Row>([
  { guarantees: 'a listed verb on a listed resource is granted', granted: true },
  { guarantees: 'a verb that is not listed is not', request: { verb: 'delete' }, granted: false },
  { guarantees: 'pods does not grant pods/log', request: { subresource: 'log' }, granted: false },
  {
    guarantees: '*/log grants the log of any kind',
    rule: { resources: ['*/log'] },
    request: { subresource: 'log' },
    granted: true,
  },
  { guarantees: '*/log does not grant the kind itself', rule: { resources: ['*/log'] }, granted: false },
  { guarantees: '*/ grants nothing', rule: { resources: ['*/'] }, granted: false },
  {
    guarantees: 'pods/* is no wildcard',
    rule: { resources: ['pods/*'] },
    request: { subresource: 'log' },
    granted: false,
  },
  {
    guarantees: '* grants subresources too',
    rule: { resources: ['*'] },
    request: { subresource: 'log' },
    granted: true,
  },
  { guarantees: 'a rule without groups grants no resource', rule: { apiGroups: [] }, granted: false },
  { guarantees: 'a named object is granted by its name', rule: named, granted: true },
  { guarantees: 'another name is not', rule: named, request: { name: 'b' }, granted: false },
  { guarantees: 'names never grant a plain list', rule: named, request: { verb: 'list', name: '' }, granted: false },
  {
    guarantees: 'a list narrowed to the name by field selector is granted',
    rule: named,
    request: { verb: 'list', name: '', fieldSelector: 'metadata.name=a' },
    granted: true,
  },
  {
    guarantees: 'so is a watch, among other terms',
    rule: named,
    request: { verb: 'watch', name: '', fieldSelector: 'status.phase!=Running,metadata.name==a' },
    granted: true,
  },
  {
    guarantees: 'a list of everything but the name is not',
    rule: named,
    request: { verb: 'list', name: '', fieldSelector: 'metadata.name!=a' },
    granted: false,
  },
  {
    guarantees: 'a selector that cannot be read narrows nothing',
    rule: named,
    request: { verb: 'list', name: '', fieldSelector: 'metadata.name=a,\\' },
    granted: false,
  },
  {
    guarantees: 'a selector does not name the object of a get',
    rule: named,
    request: { verb: 'get', name: '', fieldSelector: 'metadata.name=a' },
    granted: false,
  },
])('$guarantees', ({ rule, request, granted }) => {
  expect(grants(compileRule({ ...readPods, ...rule }), access(request))).toBe(granted);
});

test.for<{ readonly guarantees: string; readonly url: string; readonly path: string; readonly granted: boolean }>([
  { guarantees: 'a path is granted as written', url: '/metrics', path: '/metrics', granted: true },
  { guarantees: 'nothing below it is', url: '/metrics', path: '/metrics/slis', granted: false },
  { guarantees: 'a star at the end is a prefix', url: '/api/*', path: '/api/v1', granted: true },
  { guarantees: 'which does not include the path before the slash', url: '/api/*', path: '/api', granted: false },
  { guarantees: 'a star elsewhere is plain text', url: '/*/x', path: '/a/x', granted: false },
  { guarantees: 'a lone star grants every path', url: '*', path: '/a/b', granted: true },
])('of paths: $guarantees', ({ url, path, granted }) => {
  const request: AccessRequest = { kind: 'path', user: userNamed('ann'), verb: 'get', path };
  expect(grants(compileRule({ verbs: ['get'], nonResourceURLs: [url] }), request)).toBe(granted);
});
