import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const src = resolve(import.meta.dirname, '../src');

/** Which rooms a room may enter. A missing arrow gives its reason. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  std: [], // knows nothing of clusters
  cel: ['std'],
  api: ['cel', 'std'], // the field's nouns: types and total functions only
  authz: ['api', 'cel', 'std'], // asks for policy through an interface, so it is tested and replayed without a store
  netpolicy: ['api', 'std'], // a compiler and what enforces its output: it never talks to the API itself
  audit: ['api', 'std'], // records what it is told; it must not be able to influence a decision
  core: ['api', 'cel', 'std'], // trusts its caller: who may ask is the gateway's business
  gateway: ['authz', 'netpolicy', 'audit', 'core', 'api', 'cel', 'std'],
  app: ['gateway', 'authz', 'netpolicy', 'audit', 'core', 'api', 'cel', 'std'], // puts the pieces together
  cli: ['app', 'gateway', 'authz', 'netpolicy', 'audit', 'core', 'api', 'cel', 'std'],
};

/** Inside core: these are clients of the API and run over HTTP just as they run in a test. */
const clients = ['scheduler', 'controllers', 'node', 'services', 'volumes'];
const mayImportInCore: Readonly<Record<string, readonly string[]>> = {
  store: [], // bytes and revisions: it does not know what a Pod is
  admission: ['store'],
  resources: ['admission', 'store'], // the one write path
  cluster: [], // a client: everything it knows came over HTTP
  ...Object.fromEntries(clients.map((room) => [room, ['cluster']])),
};

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

const imports = files.flatMap((file) =>
  [...readFileSync(join(src, file), 'utf8').matchAll(/(?:from|import)\s+'(\.[^']+)'/g)].map((match) => ({
    file,
    to: relative(src, resolve(src, dirname(file), match[1] ?? '')),
  })),
);

const roomOf = (file: string): string => file.split('/')[0] ?? '';
const coreRoomOf = (file: string): string => file.split('/')[1]?.replace(/\.ts$/, '') ?? '';

describe('architecture', () => {
  test('imports between rooms point down', () => {
    const wrong = imports.filter(({ file, to }) => {
      const [from, into] = [roomOf(file), roomOf(to)];
      return from !== into && !(mayImport[from]?.includes(into) ?? false);
    });
    expect(wrong).toEqual([]);
  });

  test('inside core, clients of the API import neither store nor resources', () => {
    const wrong = imports.filter(({ file, to }) => {
      if (roomOf(file) !== 'core' || roomOf(to) !== 'core') return false;
      const [from, into] = [coreRoomOf(file), coreRoomOf(to)];
      return from !== into && !(mayImportInCore[from]?.includes(into) ?? false);
    });
    expect(wrong).toEqual([]);
  });

  test('only std/clock reads the clock and sets timers', () => {
    const wrong = files
      .filter((file) => file !== 'std/clock.ts')
      .filter((file) =>
        /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(/.test(
          readFileSync(join(src, file), 'utf8'),
        ),
      );
    expect(wrong).toEqual([]);
  });

  test('every import names its file with .ts, and no file is a barrel', () => {
    const wrong = imports.filter(({ to }) => !/\.(ts|json)$/.test(to) || /(^|\/)index\.ts$/.test(to));
    expect(wrong).toEqual([]);
  });
});
