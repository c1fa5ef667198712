/** /livez, /readyz, /healthz and /version. Source: Kubernetes API health endpoints. */
import { textAnswer, jsonAnswer, type Answer } from '../inbound.ts';
import { isTrue } from '../request-info.ts';
import { pageNotFound, type PathHandler } from '../router.ts';

/** One thing that has to be well. `check` throws or answers false when it is not; it answers within its own deadline. */
export interface HealthCheck {
  readonly name: string;
  readonly check: () => boolean | Promise<boolean>;
}

/** Handles `/NAME`, with `?verbose` and `?exclude=CHECK`, and `/NAME/CHECK`. What is wrong is in the log, not in the answer. */
export function healthRoute(name: string, checks: readonly HealthCheck[]): PathHandler {
  return async (_request, { path, query }) => {
    const single = path.slice(name.length + 2);
    const excluded = new Set(query.getAll('exclude'));
    const asked = checks.filter((one) => (single === '' ? !excluded.has(one.name) : one.name === single));
    if (single !== '' && asked.length === 0) throw pageNotFound();
    const results = await Promise.all(asked.map(async (one) => ({ name: one.name, well: await isWell(one) })));
    const well = results.every((one) => one.well);
    if (well && !isTrue(query.get('verbose'))) return textAnswer(200, 'ok');
    const lines = results.map((one) => (one.well ? `[+]${one.name} ok` : `[-]${one.name} failed: reason withheld`));
    return textAnswer(well ? 200 : 500, `${[...lines, `${name} check ${well ? 'passed' : 'failed'}`].join('\n')}\n`);
  };
}

/** The level of the API that is served, and what serves it. */
export function versionRoute(release: string): PathHandler {
  return (): Answer =>
    jsonAnswer(200, {
      major: '1',
      minor: '33',
      gitVersion: `v1.33.0+gatehouse-${release}`,
      gitCommit: '',
      gitTreeState: 'clean',
      buildDate: '1970-01-01T00:00:00Z',
      goVersion: `node${process.version}`,
      compiler: 'v8',
      platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    });
}

async function isWell({ check }: HealthCheck): Promise<boolean> {
  try {
    return await check();
  } catch {
    return false; // whoever runs the check logs why
  }
}
