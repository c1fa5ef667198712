/** The gateway's measurements in Prometheus' text format, version 0.0.4. Written by hand: it is a page of code, and no dependency. */
import type { Kinds } from './kinds.ts';
import type { RequestInfo } from './request-info.ts';

export interface RequestObserver {
  /** A request was answered with `code` after `seconds`. */
  finished(info: RequestInfo, code: number, seconds: number): void;
}

/** A value that is read when it is asked for. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: () => number;
}

export interface Metrics extends RequestObserver {
  render(gauges: readonly Gauge[]): string;
}

/** Upper bounds in seconds. Chosen around what a gateway takes (1 ms) and what a client bears (60 s). */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

interface Series {
  readonly labels: string;
  count: number;
  seconds: number;
  readonly buckets: number[];
}

/** Counts by verb, resource and code. Only resources that `kinds` serves become labels: clients cannot make new series. */
export function createMetrics(kinds: Kinds): Metrics {
  const byKey = new Map<string, Map<string, Map<number, Series>>>();
  return {
    finished(info, code, seconds) {
      const resource = info.kind === 'resource' ? knownResource(kinds, info) : '';
      const verb = knownVerbs.has(info.verb) ? info.verb : 'other';
      const series = seriesOf(byKey, verb, resource, code);
      series.count += 1;
      series.seconds += seconds;
      const bucket = bounds.findIndex((bound) => seconds <= bound);
      if (bucket >= 0 && !info.longRunning) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    },
    render: (gauges) => [...counters(byKey), ...gauges.flatMap(renderGauge), ''].join('\n'),
  };
}

const knownVerbs = new Set('get list watch create update patch delete deletecollection post put head'.split(' '));

function knownResource(kinds: Kinds, info: Extract<RequestInfo, { kind: 'resource' }>): string {
  const type = kinds.find(info.group, info.version, info.resource);
  if (type === undefined) return 'unknown';
  const sub = type.subresources.some(({ name }) => name === info.subresource) ? `/${info.subresource}` : '';
  return type.group === '' ? `${type.resource}${sub}` : `${type.resource}${sub}.${type.group}`;
}

function seriesOf(
  all: Map<string, Map<string, Map<number, Series>>>,
  verb: string,
  resource: string,
  code: number,
): Series {
  const byResource = emplace(all, verb, () => new Map<string, Map<number, Series>>());
  const byCode = emplace(byResource, resource, () => new Map<number, Series>());
  return emplace(byCode, code, () => ({
    labels: `verb="${verb}",resource="${resource}",code="${code}"`,
    count: 0,
    seconds: 0,
    buckets: bounds.map(() => 0),
  }));
}

function emplace<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function counters(all: Map<string, Map<string, Map<number, Series>>>): readonly string[] {
  const series = [...all.values()].flatMap((byResource) =>
    [...byResource.values()].flatMap((byCode) => [...byCode.values()]),
  );
  return [
    '# HELP apiserver_request_total Requests answered, by verb, resource and code.',
    '# TYPE apiserver_request_total counter',
    ...series.map(({ labels, count }) => `apiserver_request_total{${labels}} ${count}`),
    '# HELP apiserver_request_duration_seconds Time to the whole answer; long-running requests count in +Inf.',
    '# TYPE apiserver_request_duration_seconds histogram',
    ...series.flatMap(histogram),
  ];
}

function histogram({ labels, count, seconds, buckets }: Series): readonly string[] {
  let below = 0;
  const name = 'apiserver_request_duration_seconds';
  return [
    ...bounds.map((bound, i) => {
      below += buckets[i] ?? 0;
      return `${name}_bucket{${labels},le="${bound}"} ${below}`;
    }),
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${seconds}`,
    `${name}_count{${labels}} ${count}`,
  ];
}

function renderGauge({ name, help, value }: Gauge): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${value()}`];
}
