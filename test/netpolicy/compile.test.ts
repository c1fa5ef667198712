import { describe, expect, test } from 'vitest';
import type { NodeAllowList, PeerSetSlice } from '../../src/netpolicy/allow-list.ts';
import { parseAddress } from '../../src/netpolicy/address.ts';
import { AllowListCompiler } from '../../src/netpolicy/compile.ts';
import { compileAllowLists } from '../../src/netpolicy/plan.ts';
import { judgeOf } from '../../src/netpolicy/reachability.ts';
import { oracleAllows } from './support/oracle.ts';
import type { PolicyWorld, Random } from './support/world.ts';
import {
  applyChange,
  emptyWorld,
  one,
  ports,
  protocols,
  randomAddress,
  randomChange,
  seeded,
} from './support/world.ts';

const objectsOf = (world: PolicyWorld) => [...world.namespaces, ...world.nodes, ...world.policies, ...world.pods];

/** Objects as somebody has them who was only ever handed the differences. */
class Follower {
  readonly lists = new Map<string, NodeAllowList>();
  readonly slices = new Map<string, PeerSetSlice>();

  follow({ lists, slices }: ReturnType<AllowListCompiler['take']>): void {
    for (const [name, list] of lists) void (list === undefined ? this.lists.delete(name) : this.lists.set(name, list));
    for (const [name, one] of slices) void (one === undefined ? this.slices.delete(name) : this.slices.set(name, one));
  }
}

function wrongAnswers(world: PolicyWorld, follower: Follower, random: Random, questions: number): readonly unknown[] {
  const judge = judgeOf(follower.lists.values(), follower.slices.values());
  const wrong: unknown[] = [];
  for (let i = 0; i < questions; i++) {
    const family = random(3) === 0 ? 6 : 4;
    const question = {
      from: randomAddress(random, family),
      to: randomAddress(random, family),
      protocol: one(random, protocols),
      port: one(random, ports),
    };
    const [from, to] = [parseAddress(question.from), parseAddress(question.to)];
    if (from === undefined || to === undefined) throw new Error('the generator made no address');
    const allowed = judge({ ...question, from, to }).allowed;
    if (allowed !== oracleAllows(world, question)) wrong.push({ question, allowed });
  }
  return wrong;
}

describe('the allow-list compiler on seeded random clusters', () => {
  test.for([1, 2, 3, 4, 5])(
    'what is compiled allows what the policies allow, and each difference leads to what a full compile makes (seed %i)',
    (seed) => {
      const random = seeded(seed);
      const world = emptyWorld();
      const compiler = new AllowListCompiler();
      const follower = new Follower();
      for (let round = 0; round < 60; round++) {
        for (let i = 0; i <= random(4); i++) {
          const change = randomChange(random);
          applyChange(world, change);
          if ('upsert' in change) compiler.upsert(change.upsert);
          else compiler.remove(...change.remove);
        }
        follower.follow(compiler.take());
        const whole = compileAllowLists(objectsOf(world));
        expect(sorted(follower.lists.values())).toEqual(sorted(whole.lists));
        expect(sorted(follower.slices.values())).toEqual(sorted(whole.slices));
        expect(wrongAnswers(world, follower, random, 40)).toEqual([]);
      }
    },
  );

  test('a change that no policy can notice writes nothing', () => {
    const random = seeded(99);
    const world = emptyWorld();
    for (let i = 0; i < 80; i++) applyChange(world, randomChange(random));
    const compiler = new AllowListCompiler();
    for (const object of objectsOf(world)) compiler.upsert(object);
    compiler.take();
    for (const pod of world.pods) {
      compiler.upsert({
        ...pod,
        metadata: { ...pod.metadata, resourceVersion: '77', labels: { ...pod.metadata.labels, other: 'label' } },
      });
    }
    const { lists, slices } = compiler.take();
    expect([...lists.keys(), ...slices.keys()]).toEqual([]);
  });
});

function sorted<Kind extends NodeAllowList | PeerSetSlice>(objects: Iterable<Kind>): readonly Kind[] {
  return [...objects].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}
