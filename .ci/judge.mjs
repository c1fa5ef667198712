// Reads the report of a test run: prints its counts, fails when a test failed, when fewer passed than expected, or when
// one was skipped that is not excepted. Arguments: report, tests expected, files that may be skipped as a whole.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [file, expected, ...excepted] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, 'utf8'));
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = report;
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);

const rootOf = (name) => name.slice(0, name.lastIndexOf('/test/'));
const complaints = [];
const seen = new Set();
for (const { name, assertionResults } of report.testResults) {
  const path = relative(rootOf(name), name);
  const left = assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed');
  if (left.length === 0) continue;
  seen.add(path);
  if (excepted.includes(path) && left.length === assertionResults.length) process.stdout.write(`excepted: ${path}\n`);
  else complaints.push(`${path}: ${left.length} skipped, on this machine everything has to run`);
}
for (const path of excepted) if (!seen.has(path)) complaints.push(`${path} is excepted, and ran: take it off the list`);
if (failed > 0 || !report.success) complaints.push('the run failed');
if (passed < Number(expected)) complaints.push(`fewer tests passed than the ${expected} expected`);
for (const line of complaints) process.stderr.write(`${line}\n`);
process.exitCode = complaints.length === 0 ? 0 : 1;
