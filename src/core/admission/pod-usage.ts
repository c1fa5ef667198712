/**
 * What a pod as a whole asks for: its containers together, or the most that its init containers need on the way if that
 * is more. Source: Kubernetes, "Resource sharing within containers" and component-helpers, resource.PodRequests.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { Quantity } from '../../std/quantity.ts';
import { addQuantities, compareQuantities, parseQuantity } from '../../std/quantity.ts';
import { at, fieldsOf, listOf } from '../../std/value.ts';

/** Amounts by resource name. */
export type Quantities = ReadonlyMap<string, Quantity>;

/** The amounts of a ResourceList; what is no amount is left out. */
export function quantitiesOf(list: unknown): Quantities {
  return new Map(
    Object.entries(fieldsOf(list)).flatMap(([name, text]) => {
      const quantity = typeof text === 'string' || typeof text === 'number' ? parseQuantity(String(text)) : undefined;
      return quantity === undefined ? [] : [[name, quantity] as const];
    }),
  );
}

/** Both together. */
export function sumOf(a: Quantities, b: Quantities): Quantities {
  return combined(a, b, addQuantities);
}

/** The requests or limits of `pod` without its overhead. An init container that restarts always runs beside the others from then on. */
export function podUsage(pod: KubeObject, side: 'requests' | 'limits'): Quantities {
  const of = (container: unknown): Quantities => quantitiesOf(at(container, 'resources', side));
  let running: Quantities = new Map();
  let peak: Quantities = new Map();
  for (const container of listOf(at(pod, 'spec', 'initContainers'))) {
    const isSidecar = at(container, 'restartPolicy') === 'Always';
    if (isSidecar) running = sumOf(running, of(container));
    peak = combined(peak, isSidecar ? running : sumOf(running, of(container)), larger);
  }
  for (const container of listOf(at(pod, 'spec', 'containers'))) running = sumOf(running, of(container));
  return combined(running, peak, larger);
}

function larger(a: Quantity, b: Quantity): Quantity {
  return compareQuantities(a, b) < 0 ? b : a;
}

function combined(a: Quantities, b: Quantities, both: (a: Quantity, b: Quantity) => Quantity): Quantities {
  const result = new Map(a);
  for (const [name, quantity] of b) {
    const present = result.get(name);
    result.set(name, present === undefined ? quantity : both(present, quantity));
  }
  return result;
}
