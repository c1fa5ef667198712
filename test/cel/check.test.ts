import { describe, expect, test } from 'vitest';
import { compile } from '../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../src/cel/kubernetes.ts';
import { formatIssues } from '../../src/cel/source.ts';
import { dyn, formatType, int, listOf, mapOf, string, type ObjectType } from '../../src/cel/types.ts';

const object: ObjectType = {
  kind: 'object',
  name: 'object',
  field: (name) =>
    name === 'replicas' ? { type: int, key: name } : name === '__in__' ? { type: string, key: 'in' } : undefined,
};
const environment = kubernetesEnvironment({
  self: object,
  names: listOf(string),
  labels: mapOf(string, string),
  any: dyn,
});

function checked(source: string): string {
  const made = compile(source, environment);
  return 'issues' in made ? formatIssues(source, made.issues) : formatType(made.compiled.outputType);
}

describe('the type of an expression', () => {
  test.for<[string, string]>([
    ['self.replicas + 1', 'int'],
    ['self.__in__', 'string'],
    ['names.map(n, size(n))', 'list(int)'],
    ["labels['a']", 'string'],
    ['labels.?a.orValue("x")', 'string'],
    ['any.a.b[3]', 'dyn'],
    ['[]', 'list(dyn)'],
    ['{"a": [1]}', 'map(string, list(int))'],
    ['type(1) == int', 'bool'],
    ['names.transformMap(i, n, n)', 'map(int, string)'],
    ["'a' in names || self.replicas > 2", 'bool'],
    ['self.replicas > 1.5', 'bool'],
    ["quantity('1')", 'kubernetes.Quantity'],
  ])('%s is a %s', ([source, type]) => {
    expect(checked(source)).toBe(type);
  });
});

describe('a mistake is told in the words of the field', () => {
  test.for<[string, string]>([
    ['self.repl', "ERROR: <input>:1:5: undefined field 'repl'\n | self.repl\n | ....^"],
    [
      "self.replicas + 'a'",
      "ERROR: <input>:1:15: found no matching overload for '_+_' applied to '(int, string)'\n | self.replicas + 'a'\n | ..............^",
    ],
    ['nope', "ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope\n | ^"],
    ['nope(1)', "ERROR: <input>:1:5: undeclared reference to 'nope' (in container '')\n | nope(1)\n | ....^"],
    [
      "names.startsWith('a')",
      "ERROR: <input>:1:17: found no matching overload for 'startsWith' applied to 'list(string).(string)'\n | names.startsWith('a')\n | ................^",
    ],
    ["[1, 'a']", "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^"],
    ['true && 1', "ERROR: <input>:1:9: expected type 'bool' but found 'int'\n | true && 1\n | ........^"],
    [
      'self.replicas.all(x, true)',
      "ERROR: <input>:1:5: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n | self.replicas.all(x, true)\n | ....^",
    ],
    [
      'self.replicas.x',
      "ERROR: <input>:1:14: type 'int' does not support field selection\n | self.replicas.x\n | .............^",
    ],
    [
      "'😁' + 1",
      "ERROR: <input>:1:5: found no matching overload for '_+_' applied to '(string, int)'\n | '😁' + 1\n | .．..^",
    ],
    [
      'a | b',
      "ERROR: <input>:1:3: Syntax error: token recognition error at: '| '\n | a | b\n | ..^\nERROR: <input>:1:5: Syntax error: extraneous input 'b' expecting <EOF>\n | a | b\n | ....^",
    ],
    [
      '1 +',
      "ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | 1 +\n | ...^",
    ],
    [
      "duration('1x') < duration('1s')",
      "ERROR: <input>:1:10: invalid duration argument\n | duration('1x') < duration('1s')\n | .........^",
    ],
    [
      "timestamp('2024') == any",
      "ERROR: <input>:1:11: invalid timestamp argument\n | timestamp('2024') == any\n | ..........^",
    ],
    ["'a'.matches('(')", "ERROR: <input>:1:13: invalid matches argument\n | 'a'.matches('(')\n | ............^"],
    ['has(self)', 'ERROR: <input>:1:5: invalid argument to has() macro\n | has(self)\n | ....^'],
    ['1.all(2, 3)', 'ERROR: <input>:1:7: argument must be a simple name\n | 1.all(2, 3)\n | ......^'],
    ['package', 'ERROR: <input>:1:1: reserved identifier: package\n | package\n | ^'],
    ['0xFFFFFFFFFFFFFFFFF', 'ERROR: <input>:1:1: invalid int literal\n | 0xFFFFFFFFFFFFFFFFF\n | ^'],
    [
      'names.all(a, a, true)',
      'ERROR: <input>:1:14: duplicate variable name: a\n | names.all(a, a, true)\n | .............^',
    ],
  ])('%s', ([source, text]) => {
    expect(checked(source)).toBe(text);
  });
});

test('variables of a loop hide those outside it, and end with it', () => {
  expect(checked('[1].all(self, self > 0) && self.replicas > 0')).toBe('bool');
  expect(checked('[1].all(x, x > 0) && x > 0')).toContain("undeclared reference to 'x'");
});
