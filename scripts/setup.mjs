// Makes a fresh clone ready: installs what is missing, builds what is stale. Plain Node, because nothing is installed yet.
// Runs before `npm start`, `npm test` and `npm run bench`; does nothing, fast, when all is in order.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(
    `Gatehouse needs Node 20.19 or newer, this is ${process.versions.node}: install a newer Node and run this again`,
  );
}
if (!modulesAreCurrent()) {
  step('installing packages (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}
if (!buildIsCurrent()) {
  step('building (tsc)', process.execPath, [
    at('node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    at('tsconfig.build.json'),
  ]);
  // tsc leaves its stamp alone when no output changed; the next start should not build again for that.
  const now = new Date();
  utimesSync(at('dist', '.tsbuildinfo'), now, now);
}

/** npm writes node_modules/.package-lock.json last: it names what is installed. */
function modulesAreCurrent() {
  const installed = at('node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages;
  const want = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  return Object.entries(want).every(
    ([path, entry]) => path === '' || entry.optional === true || have[path]?.version === entry.version,
  );
}

/** The build is current when its stamp is newer than every source. */
function buildIsCurrent() {
  const stamp = at('dist', '.tsbuildinfo');
  if (!existsSync(stamp) || !existsSync(at('dist', 'src', 'cli', 'main.js'))) return false;
  const built = statSync(stamp).mtimeMs;
  const sources = ['src', 'bench'].flatMap((folder) =>
    readdirSync(at(folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
  );
  return [...sources, at('tsconfig.json'), at('tsconfig.build.json'), at('package-lock.json')].every(
    (file) => statSync(file).mtimeMs <= built,
  );
}

function step(what, command, args) {
  const began = performance.now();
  process.stderr.write(`gatehouse: ${what} …\n`);
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (done.error !== undefined) fail(`${what} could not be started: ${done.error.message}`);
  if (done.status !== 0) fail(`${what} failed (exit ${done.status ?? done.signal}): see above`);
  process.stderr.write(`gatehouse: ${what}: done in ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
}

function fail(message) {
  process.stderr.write(`gatehouse: ${message}\n`);
  process.exit(2);
}
