import { describe, expect, test } from 'vitest';
import { negotiate, negotiateAs } from '../../src/gateway/negotiate.ts';

const kubectlGet =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';

describe('negotiate', () => {
  test.for([
    { accept: '', is: { kind: 'object' } },
    { accept: '*/*', is: { kind: 'object' } },
    { accept: 'application/vnd.kubernetes.protobuf,application/json', is: { kind: 'object' } },
    { accept: kubectlGet, is: { kind: 'table', version: 'v1', includeObject: 'Metadata' } },
    { accept: 'application/json;as=Table;v=v1beta1;g=meta.k8s.io', is: { kind: 'table', version: 'v1beta1' } },
    { accept: 'application/json;as=Table;v=v9;g=meta.k8s.io,application/json', is: { kind: 'object' } },
    {
      accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
      is: { kind: 'metadata', version: 'v1' },
    },
    { accept: 'application/json;q=0.5, application/json;as=Table;v=v1;g=meta.k8s.io;q=0.9', is: { kind: 'table' } },
    { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', is: { kind: 'object' } },
  ])('$accept → $is.kind', ({ accept, is }) => {
    expect(negotiate(accept)).toMatchObject(is);
  });

  test.for([
    'application/vnd.kubernetes.protobuf',
    'text/html',
    'application/json;as=Table;v=v9;g=meta.k8s.io',
    'application/json;q=0',
  ])('what cannot be served is NotAcceptable: %s', (accept) => {
    expect(() => negotiate(accept)).toThrow(expect.objectContaining({ code: 406 }));
  });

  test('an unknown includeObject is refused', () => {
    expect(() => negotiate(kubectlGet, 'Everything')).toThrow(/includeObject/);
  });
});

test('aggregated discovery is served by version, and plain when plain comes first', () => {
  const known = [{ group: 'apidiscovery.k8s.io', version: 'v2', kind: 'APIGroupDiscoveryList' }];
  const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  expect(negotiateAs(`${aggregated},application/json`, known)).toBe(0);
  expect(negotiateAs(`application/json,${aggregated}`, known)).toBeUndefined();
  expect(() => negotiateAs('application/json;g=apidiscovery.k8s.io;v=v7;as=X', known)).toThrow(
    expect.objectContaining({ code: 406 }),
  );
});
