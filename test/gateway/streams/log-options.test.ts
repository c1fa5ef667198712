import { expect, test } from 'vitest';
import { parseLogOptions } from '../../../src/gateway/streams/log-options.ts';
import { outcome } from '../../support/outcome.ts';

const none = { follow: false, previous: false, timestamps: false };

test.for<{ query: string; is: unknown }>([
  { query: '', is: none },
  { query: 'follow=true&timestamps=1&previous=false', is: { ...none, follow: true, timestamps: true } },
  { query: 'tailLines=0', is: { ...none, tailLines: 0 } },
  { query: 'limitBytes=10&sinceSeconds=5', is: { ...none, limitBytes: 10, sinceSeconds: 5 } },
  { query: 'sinceTime=1970-01-01T00:00:01Z', is: { ...none, sinceTime: 1000 } },
  { query: 'tailLines=ten', is: 'refused: tailLines: "ten" is not a whole number' },
  { query: 'sinceTime=noon', is: 'refused: sinceTime: "noon" is not a time as RFC 3339 writes it' },
  {
    query: 'tailLines=-1',
    is: 'refused: PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
  },
  {
    query: 'limitBytes=0&sinceSeconds=0',
    is: 'refused: PodLogOptions "web" is invalid: [limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: Invalid value: 0: must be greater than 0]',
  },
  {
    query: 'sinceSeconds=1&sinceTime=1970-01-01T00:00:01Z',
    is: expect.stringContaining('at most one of `sinceTime` or `sinceSeconds` may be specified'),
  },
])('the log query "$query" is read as upstream reads it', ({ query, is }) => {
  expect(outcome(() => parseLogOptions(new URLSearchParams(query), 'web'))).toEqual(is);
});
