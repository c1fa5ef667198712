import { describe, expect, test } from 'vitest';
import { exitStatus, lastWords } from '../../../src/gateway/streams/exit-status.ts';

describe('the last words of a session', () => {
  test('name the exit code as kubectl reads it', () => {
    expect(JSON.parse(lastWords('v5.channel.k8s.io', exitStatus(7)) ?? '')).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '7' }] },
    });
    expect(JSON.parse(lastWords('v4.channel.k8s.io', exitStatus(0)) ?? '')).toMatchObject({ status: 'Success' });
  });

  test.for(['v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'])(
    'say nothing of success in %s, and failure as text',
    (protocol) => {
      expect(lastWords(protocol, exitStatus(0))).toBeUndefined();
      expect(lastWords(protocol, exitStatus(3))).toContain('exit code: 3');
    },
  );
});
