/** What one limit of a LimitRange says of what is asked for. Pure. Source: kube-apiserver, admission plugin LimitRanger. */
import type { Quantity } from '../../std/quantity.ts';
import { compareQuantities, formatQuantity } from '../../std/quantity.ts';
import type { Fields } from '../../std/value.ts';
import { textOf } from '../../std/value.ts';
import { quantitiesOf } from './pod-usage.ts';
import type { Quantities } from './pod-usage.ts';

/** What a container, a pod or a claim asks for. */
export interface Asked {
  readonly requests: Quantities;
  readonly limits: Quantities;
}

/** Every bound of `item` (a LimitRangeItem) that `asked` is outside of, as messages name it. */
export function limitFaults(item: Fields, asked: Asked): readonly string[] {
  const type = textOf(item['type']);
  const each = (field: string, fault: (name: string, bound: Quantity) => string | undefined): readonly string[] =>
    [...quantitiesOf(item[field])].flatMap(([name, bound]) => fault(name, bound) ?? []);
  return [
    ...each('min', (name, bound) => belowMin(name, type, bound, asked)),
    ...each('max', (name, bound) =>
      type === 'PersistentVolumeClaim' ? aboveMaxRequest(name, type, bound, asked) : aboveMax(name, type, bound, asked),
    ),
    ...each('maxLimitRequestRatio', (name, bound) => aboveRatio(name, type, bound, asked)),
  ];
}

function belowMin(name: string, type: string, min: Quantity, { requests, limits }: Asked): string | undefined {
  const [request, limit] = [requests.get(name), limits.get(name)];
  const rule = `minimum ${name} usage per ${type} is ${formatQuantity(min)}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  if (compareQuantities(request, min) < 0) return `${rule}, but request is ${formatQuantity(request)}`;
  return limit !== undefined && compareQuantities(limit, min) < 0
    ? `${rule}, but limit is ${formatQuantity(limit)}`
    : undefined;
}

function aboveMax(name: string, type: string, max: Quantity, { requests, limits }: Asked): string | undefined {
  const [request, limit] = [requests.get(name), limits.get(name)];
  const rule = `maximum ${name} usage per ${type} is ${formatQuantity(max)}`;
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (compareQuantities(limit, max) > 0) return `${rule}, but limit is ${formatQuantity(limit)}`;
  return request !== undefined && compareQuantities(request, max) > 0
    ? `${rule}, but request is ${formatQuantity(request)}`
    : undefined;
}

/** Claims have no limits: their request is held to the maximum. */
function aboveMaxRequest(name: string, type: string, max: Quantity, { requests }: Asked): string | undefined {
  const request = requests.get(name);
  const rule = `maximum ${name} usage per ${type} is ${formatQuantity(max)}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  return compareQuantities(request, max) > 0 ? `${rule}, but request is ${formatQuantity(request)}` : undefined;
}

function aboveRatio(name: string, type: string, max: Quantity, { requests, limits }: Asked): string | undefined {
  const [request, limit] = [requests.get(name)?.nanos ?? 0n, limits.get(name)?.nanos ?? 0n];
  const rule = `${name} max limit to request ratio per ${type} is ${formatQuantity(max)}`;
  if (request === 0n) return `${rule}, but no request is specified or request is 0`;
  if (limit === 0n) return `${rule}, but no limit is specified or limit is 0`;
  // Whole numbers, so that a ratio of exactly the bound is within it.
  if (limit * 1_000_000_000n <= max.nanos * request) return undefined;
  return `${rule}, but provided ratio is ${(Number(limit) / Number(request)).toFixed(6)}`;
}
