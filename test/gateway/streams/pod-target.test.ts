import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/api/types/core.ts';
import { containerTarget } from '../../../src/gateway/streams/pod-target.ts';
import { parseSessionOptions } from '../../../src/gateway/streams/session-options.ts';
import { outcome } from '../../support/outcome.ts';

const container = (name: string): { name: string } => ({ name });
const pod = (spec: object): Pod => {
  const value: unknown = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'ns', uid: 'u' },
    spec: { nodeName: 'n', containers: [container('a')], ...spec },
  };
  return value as Pod;
};
const two = [container('a'), container('b')];

describe('the container of a stream', () => {
  test.for<{ guarantees: string; spec?: object; asked?: string; is: unknown }>([
    {
      guarantees: 'the only one need not be named',
      is: expect.objectContaining({ container: 'a', node: 'n', uid: 'u' }),
    },
    {
      guarantees: 'one of several is named',
      spec: { containers: two },
      asked: 'b',
      is: expect.objectContaining({ container: 'b' }),
    },
    {
      guarantees: 'an init container may be named',
      spec: { initContainers: [container('i')] },
      asked: 'i',
      is: expect.objectContaining({ container: 'i' }),
    },
    {
      guarantees: 'of several one must be named',
      spec: { containers: two },
      is: 'refused: a container name must be specified for pod p, choose one of: [a b]',
    },
    {
      guarantees: 'and init containers are offered too',
      spec: { containers: two, initContainers: [container('i')] },
      is: 'refused: a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]',
    },
    { guarantees: 'a name that is none is refused', asked: 'c', is: 'refused: container c is not valid for pod p' },
    {
      guarantees: 'a pod without a node is refused',
      spec: { nodeName: '' },
      is: 'refused: pod p does not have a host assigned',
    },
  ])('$guarantees', ({ spec = {}, asked = '', is }) => {
    expect(outcome(() => containerTarget(pod(spec), asked))).toEqual(is);
  });
});

describe('the options of a session', () => {
  test('with a terminal there is no standard error', () => {
    const query = new URLSearchParams('command=sh&command=-c&stdin=true&stdout=true&stderr=true&tty=true');
    expect(parseSessionOptions('exec', query)).toEqual({
      command: ['sh', '-c'],
      stdin: true,
      stdout: true,
      stderr: false,
      tty: true,
    });
  });

  test('attach has no command', () => {
    expect(parseSessionOptions('attach', new URLSearchParams('command=sh&stdout=1')).command).toEqual([]);
  });
});
