import { expect, test } from 'vitest';
import { policyOf, spelled } from '../../../../src/core/admission/pod-security/policy.ts';

const label = 'pod-security.kubernetes.io/';

interface Row {
  readonly labels: Readonly<Record<string, string>>;
  /** enforce, audit, warn */
  readonly means: readonly [string, string, string];
  readonly wrong?: readonly string[];
}

test.for<Row>([
  { labels: {}, means: ['privileged:latest', 'privileged:latest', 'privileged:latest'] },
  { labels: { enforce: 'baseline' }, means: ['baseline:latest', 'privileged:latest', 'baseline:latest'] },
  {
    labels: { enforce: 'baseline', 'enforce-version': 'v1.25' },
    means: ['baseline:v1.25', 'privileged:latest', 'baseline:v1.25'],
  },
  {
    labels: { enforce: 'restricted', warn: 'privileged', audit: 'baseline', 'audit-version': 'v1.30' },
    means: ['restricted:latest', 'baseline:v1.30', 'privileged:latest'],
  },
  {
    labels: { enforce: 'strict', 'enforce-version': '1.25', audit: 'x', warn: 'y', 'warn-version': 'v1.01' },
    means: ['restricted:latest', 'privileged:latest', 'privileged:latest'],
    wrong: [
      `metadata.labels[${label}enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted`,
      `metadata.labels[${label}enforce-version]: Invalid value: "1.25": must be "latest" or "v1.x"`,
      `metadata.labels[${label}audit]: Invalid value: "x": must be one of privileged, baseline, restricted`,
      `metadata.labels[${label}warn]: Invalid value: "y": must be one of privileged, baseline, restricted`,
      `metadata.labels[${label}warn-version]: Invalid value: "v1.01": must be "latest" or "v1.x"`,
    ],
  },
])('$labels means $means', ({ labels, means, wrong }) => {
  const spelledOut = Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${label}${key}`, value]));
  const { policy, causes } = policyOf(spelledOut);
  expect([policy.enforce, policy.audit, policy.warn].map(spelled)).toEqual(means);
  expect(causes.map(({ field, message }) => `${field}: ${message}`)).toEqual(wrong ?? []);
});
