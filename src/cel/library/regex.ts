import type { Functions } from '../environment.ts';
import type { Meter } from '../meter.ts';
import { int, listOf, string } from '../types.ts';
import { Failure, List, type Result } from '../values.ts';
import { library, member } from './define.ts';
import { patternFor } from './pattern.ts';

/** Finding what a pattern matches. Source: Kubernetes, apiserver, cel/library/regex. */
export const regex: Functions = library({
  find: [
    member('string_find_string', [string, string], string, ([text, pattern], meter) => {
      const found = findAll(text as string, pattern as string, 1, meter);
      return found instanceof Failure ? found : (found[0] ?? '');
    }),
  ],
  findAll: [
    member('string_find_all_string', [string, string], listOf(string), ([text, pattern], meter) =>
      listed(findAll(text as string, pattern as string, -1, meter)),
    ),
    member('string_find_all_string_int', [string, string, int], listOf(string), ([text, pattern, limit], meter) =>
      listed(findAll(text as string, pattern as string, Number(limit), meter)),
    ),
  ],
});

function listed(found: string[] | Failure): Result {
  return found instanceof Failure ? found : List.of(found);
}

function findAll(text: string, pattern: string, limit: number, meter: Meter): string[] | Failure {
  const compiled = patternFor(text, pattern, meter);
  if (compiled instanceof Failure) return compiled;
  const matcher = compiled.matcher(text);
  const found: string[] = [];
  while (found.length !== limit && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}
