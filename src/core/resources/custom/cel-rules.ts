import { ruleCauses } from './rule-causes.ts';
import { ruleFaults } from './rule-faults.ts';
import type { RuleValidator } from './rules.ts';

/** Judges x-kubernetes-validations: what is wrong with the rules a schema declares, and with values by them. */
export const celRules: RuleValidator = { faults: ruleFaults, causes: ruleCauses };
