import { expect, test } from 'vitest';
import { fromServer } from '../../src/cli/client.ts';

test('a refusal is told in the words of its Status', () => {
  const text = JSON.stringify({ kind: 'Status', reason: 'Forbidden', message: 'events is forbidden: no' });
  expect(fromServer(403, text)).toMatchObject({
    message: 'Error from server (Forbidden): events is forbidden: no',
    exitCode: 1,
  });
  expect(fromServer(500, '<html>').message).toBe('Error from server: HTTP 500');
});
