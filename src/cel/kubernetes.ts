import { compilePattern } from '../std/pattern.ts';
import { functionsOf, type Environment } from './environment.ts';
import { addressTypes, addresses } from './library/address.ts';
import { authorizerTypes, authorizers } from './library/authorizer.ts';
import { core, coreTypes } from './library/core.ts';
import { formatTypes, namedFormats } from './library/format.ts';
import { lists } from './library/lists.ts';
import { operators } from './library/operators.ts';
import { optionals, optionalTypes } from './library/optional.ts';
import { quantities, quantityTypes } from './library/quantity.ts';
import { regex } from './library/regex.ts';
import { semver, semverTypes } from './library/semver.ts';
import { sets } from './library/sets.ts';
import { strings } from './library/strings.ts';
import { urls, urlTypes } from './library/url.ts';
import { parseDuration, parseTimestamp } from './time.ts';
import type { Type } from './types.ts';
import type { Value } from './values.ts';

/**
 * All functions that the Kubernetes API gives to expressions, as of 1.33: the language's own, optionals, two-variable
 * comprehensions (which are macros), strings, lists, sets, regex, URL, quantity, IP, CIDR, format, semver, authorizer.
 */
const functions = functionsOf(
  operators,
  core,
  optionals,
  strings,
  lists,
  sets,
  regex,
  urls,
  quantities,
  addresses,
  namedFormats,
  semver,
  authorizers,
);

const types: ReadonlyMap<string, Type> = new Map<string, Type>([
  ...coreTypes,
  ...optionalTypes,
  ...urlTypes,
  ...quantityTypes,
  ...addressTypes,
  ...formatTypes,
  ...semverTypes,
  ...authorizerTypes,
]);

/** As upstream checks them: durations, timestamps and patterns that are written out. */
function invalidLiteral(name: string, value: Value): boolean {
  if (typeof value !== 'string') return false;
  if (name === 'duration') return parseDuration(value) === undefined;
  if (name === 'timestamp') return parseTimestamp(value) === undefined;
  return name === 'matches' && compilePattern(value).kind === 'refused';
}

/**
 * What an expression of the Kubernetes API may speak of: these variables, all libraries, and the types that it may
 * construct (`Object`, `Object.spec`, `JSONPatch`), asked for by name.
 */
export function kubernetesEnvironment(
  variables: Readonly<Record<string, Type>>,
  constructed: (name: string) => Type | undefined = () => undefined,
): Environment {
  return {
    functions,
    variables: new Map(Object.entries(variables)),
    types: { get: (name) => types.get(name) ?? constructed(name) },
    invalidLiteral,
  };
}
