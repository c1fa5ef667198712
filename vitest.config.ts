import { defineConfig } from 'vitest/config';

// unit: no database, no process, no network; what `npm run check` runs.
// integration: real Postgres, kernel, processes, one room at a time.
// e2e: the built program driven by real clients, one file after another.
// One project after the other: what waits for a deadline should not wait for a neighbour's processor.
const integration = ['test/**/*.integration.test.ts', 'test/conformance/**/*.test.ts'];

// Real processes on a noisy machine: continuous integration tries a failed test once more, and its report says so.
const retry = process.env['CI'] === 'true' ? 1 : 0;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...integration, 'test/e2e/**'],
          testTimeout: 20_000,
          retry,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          retry,
          include: integration,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          retry,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
