import { createHollowRuntime } from '../../../src/core/node/runtimes/hollow.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { runtimeContract } from './contract.ts';

runtimeContract({ name: 'hollow', executes: false, create: async () => createHollowRuntime(systemClock) });
