/**
 * Kinds with two faces. Events are stored as v1 and served as events.k8s.io/v1 too, autoscalers are stored as
 * autoscaling/v2 and served as v1 too. Every field of one face has its place in the other, or in an annotation, so a
 * round trip loses nothing. Source: Kubernetes API, conversions of events and autoscaling.
 */
import type { KubeObject } from '../../api/meta.ts';
import { apiVersionOf } from '../../api/meta.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';
import type { Fields } from '../../std/value.ts';
import { fieldsOf, isFields, listOf, without } from '../../std/value.ts';
import type { Stored } from '../store/store.ts';
import { toCustomServed, toCustomStored } from './custom/versions.ts';

/** `object`, as stored, in the version that `type` serves. The same value where they are one. */
export function toServed(type: ResourceType, object: KubeObject): KubeObject {
  if (type.custom !== undefined) return toCustomServed(type.custom, object);
  if (object.apiVersion === type.apiVersion) return object;
  const apiVersion = type.apiVersion;
  if (type.kind === 'Event') return { ...renamed(object, eventFields), ...identity(object, apiVersion) };
  if (type.kind === 'HorizontalPodAutoscaler') return { ...autoscalerToV1(object), apiVersion };
  return { ...object, apiVersion };
}

/**
 * `object`, as `type` serves it, in the version it is stored in. The same value where they are one, and for custom kinds:
 * those are judged in the version they are served in, and brought to the stored one when they are written.
 */
export function toStorage(type: ResourceType, object: KubeObject): KubeObject {
  if (type.custom !== undefined) return object;
  const apiVersion = apiVersionOf(type.storage.group, type.storage.version);
  if (object.apiVersion === apiVersion) return object;
  if (type.kind === 'Event') return { ...renamed(object, inverse(eventFields)), ...identity(object, apiVersion) };
  if (type.kind === 'HorizontalPodAutoscaler') return { ...autoscalerToV2(object), apiVersion };
  return { ...object, apiVersion };
}

/** As `toServed`, for what comes out of the store: its bytes are kept where nothing changes. */
export function servedFrom(type: ResourceType, stored: Stored): Stored {
  const object = toServed(type, stored.object);
  return object === stored.object ? stored : { ...stored, object, json: Buffer.from(JSON.stringify(object)) };
}

/** `object` as it is written to the store. */
export function toWritten(type: ResourceType, object: KubeObject): KubeObject {
  return type.custom === undefined ? object : toCustomStored(type.custom, object);
}

/** v1 name → events.k8s.io/v1 name. */
const eventFields: ReadonlyMap<string, string> = new Map([
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
]);

function inverse(names: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...names].map(([from, to]) => [to, from]));
}

function renamed(object: KubeObject, names: ReadonlyMap<string, string>): Fields {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [names.get(name) ?? name, value]));
}

function identity(object: KubeObject, apiVersion: string): KubeObject {
  return { apiVersion, kind: object.kind, metadata: object.metadata };
}

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions';
const currentMetricsAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics';

function isCpu(metric: unknown): boolean {
  const { type, resource } = fieldsOf(metric);
  return type === 'Resource' && fieldsOf(resource)['name'] === 'cpu';
}

function cpuPercent(metric: unknown, side: 'target' | 'current'): unknown {
  return fieldsOf(fieldsOf(fieldsOf(metric)['resource'])[side])['averageUtilization'];
}

function autoscalerToV1(object: KubeObject): KubeObject {
  const spec = fieldsOf(object['spec']);
  const status = fieldsOf(object['status']);
  const plain = (metric: unknown): boolean => isCpu(metric) && cpuPercent(metric, 'target') !== undefined;
  const first = listOf(spec['metrics']).find(plain);
  const rest = listOf(spec['metrics']).filter((metric) => metric !== first);
  const current = listOf(status['currentMetrics']).find(isCpu);
  const kept: [string, unknown][] = [
    [metricsAnnotation, rest.length > 0 ? rest : undefined],
    [behaviorAnnotation, spec['behavior']],
    [conditionsAnnotation, status['conditions']],
    [currentMetricsAnnotation, status['currentMetrics']],
  ];
  const annotations = kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, JSON.stringify(value)]]));
  return {
    ...object,
    metadata:
      annotations.length === 0
        ? object.metadata
        : { ...object.metadata, annotations: { ...object.metadata.annotations, ...Object.fromEntries(annotations) } },
    spec: {
      ...without(spec, 'metrics', 'behavior'),
      ...(first === undefined ? {} : { targetCPUUtilizationPercentage: cpuPercent(first, 'target') }),
    },
    status: {
      ...without(status, 'conditions', 'currentMetrics'),
      ...(cpuPercent(current, 'current') === undefined
        ? {}
        : { currentCPUUtilizationPercentage: cpuPercent(current, 'current') }),
    },
  };
}

function autoscalerToV2(object: KubeObject): KubeObject {
  const spec = fieldsOf(object['spec']);
  const status = fieldsOf(object['status']);
  const annotations = object.metadata.annotations ?? {};
  const kept = (name: string): unknown => parsed(annotations[name]);
  const percent = spec['targetCPUUtilizationPercentage'];
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
  };
  const metrics = [...(percent === undefined ? [] : [cpu]), ...listOf(kept(metricsAnnotation))];
  const behavior = kept(behaviorAnnotation);
  const conditions = kept(conditionsAnnotation);
  const currentMetrics = kept(currentMetricsAnnotation);
  const names = [metricsAnnotation, behaviorAnnotation, conditionsAnnotation, currentMetricsAnnotation];
  const left = without(annotations, ...names) as Record<string, string>; // values of annotations are text
  const { annotations: _replaced, ...metadata } = object.metadata;
  return {
    ...object,
    metadata: Object.keys(left).length === 0 ? metadata : { ...metadata, annotations: left },
    spec: {
      ...without(spec, 'targetCPUUtilizationPercentage'),
      ...(metrics.length > 0 ? { metrics } : {}),
      ...(isFields(behavior) ? { behavior } : {}),
    },
    status: {
      ...without(status, 'currentCPUUtilizationPercentage'),
      ...(Array.isArray(conditions) ? { conditions } : {}),
      ...(Array.isArray(currentMetrics) ? { currentMetrics } : {}),
    },
  };
}

/** Annotations are the client's: what does not parse is no metric. */
function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
