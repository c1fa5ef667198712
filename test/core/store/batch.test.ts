import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { outcomeOf } from '../../../src/core/store/batch.ts';

function answered(code: string): PromiseSettledResult<string> {
  const error = new DatabaseError('refused', 0, 'error');
  error.code = code;
  return { status: 'rejected', reason: error };
}

interface Row {
  readonly guarantees: string;
  readonly answer: PromiseSettledResult<string>;
  readonly ending?: boolean;
  readonly kind: string;
}

test.for<Row>([
  {
    guarantees: 'an answered message is committed',
    answer: { status: 'fulfilled', value: 'INSERT' },
    kind: 'committed',
  },
  {
    guarantees: 'COMMIT answered COMMIT is',
    answer: { status: 'fulfilled', value: 'COMMIT' },
    ending: true,
    kind: 'committed',
  },
  {
    guarantees: 'COMMIT answered ROLLBACK is not',
    answer: { status: 'fulfilled', value: 'ROLLBACK' },
    ending: true,
    kind: 'failed',
  },
  {
    guarantees: 'a lost connection decides nothing',
    answer: { status: 'rejected', reason: new Error('gone') },
    kind: 'doubt',
  },
  { guarantees: 'a server that shuts down decides nothing', answer: answered('57P01'), kind: 'doubt' },
  { guarantees: 'an error inside the server decides nothing', answer: answered('XX000'), kind: 'doubt' },
  { guarantees: 'another present is told apart', answer: answered('GH001'), kind: 'stale' },
  { guarantees: 'a value that the database refuses is told apart', answer: answered('22021'), kind: 'refused' },
  { guarantees: 'a lock that was not had in time: nothing was written', answer: answered('55P03'), kind: 'failed' },
])('$guarantees', ({ answer, ending = false, kind }) => {
  expect(outcomeOf(answer, ending).kind).toBe(kind);
});
