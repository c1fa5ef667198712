import { expect, test } from 'vitest';
import { limitRangeChecks } from '../../../../src/core/resources/validate/limit-range.ts';

interface Row {
  readonly limits: readonly object[];
  readonly says: readonly string[];
}

const container = (bounds: object): object => ({ type: 'Container', ...bounds });

test.for<Row>([
  {
    limits: [
      container({ min: { cpu: '1' }, defaultRequest: { cpu: '1' }, default: { cpu: '2' }, max: { cpu: '2' } }),
      { type: 'Pod', max: { cpu: '4' }, maxLimitRequestRatio: { cpu: '2' } },
      { type: 'PersistentVolumeClaim', min: { storage: '1Gi' } },
      { type: 'example.com/Thing', max: { storage: '1Gi' } },
    ],
    says: [],
  },
  {
    limits: [container({ min: { cpu: '2' }, max: { cpu: '1' } })],
    says: ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
  },
  {
    limits: [container({ min: { cpu: '2' }, defaultRequest: { cpu: '1' } })],
    says: [
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
    ],
  },
  {
    limits: [container({ defaultRequest: { cpu: '3' }, default: { cpu: '2' }, max: { cpu: '1' } })],
    says: [
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "3": default request value 3 is greater than max value 1',
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "3": default request value 3 is greater than default limit value 2',
      'spec.limits[0].default[cpu]: Invalid value: "1": default value 2 is greater than max value 1',
    ],
  },
  {
    limits: [container({ min: { cpu: '2' }, default: { cpu: '1' } })],
    says: ['spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1'],
  },
  {
    limits: [container({ maxLimitRequestRatio: { cpu: '500m' } })],
    says: ['spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1'],
  },
  {
    limits: [container({ min: { cpu: '1' }, max: { cpu: '2' }, maxLimitRequestRatio: { cpu: '3' } })],
    says: ['spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000'],
  },
  {
    limits: [{ type: 'Pod', default: { cpu: '1' }, max: { cpu: '2' } }],
    says: ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
  },
  {
    limits: [{ type: 'PersistentVolumeClaim', max: { cpu: '1' } }],
    says: [
      'spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
    ],
  },
  {
    limits: [container({}), container({}), { type: 'Node' }],
    says: [
      'spec.limits[1].type: Duplicate value: "Container"',
      'spec.limits[2].type: Invalid value: "Node": must be a standard limit type or fully qualified',
    ],
  },
])('$limits: $says', ({ limits, says }) => {
  const range = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'l' }, spec: { limits } };
  const causes = limitRangeChecks.object?.(range, { loopbackPods: [] }) ?? [];
  expect(causes.map(({ field, message }) => `${field}: ${message}`)).toEqual(says);
});
