/** Watches: one JSON object a line, as long as both ends want it. */
import type { Status } from '../../api/types/meta.ts';
import { StatusError, toStatus } from '../../api/status.ts';
import type { WatchItem } from '../../core/resources/resources.ts';
import type { Clock } from '../../std/clock.ts';
import type { StreamAnswer } from '../inbound.ts';
import { renderEventObject, type Rendering } from './render.ts';

/**
 * The answer that carries `items`. A watch that fails at once with anything but Expired is refused as a request;
 * Expired, and whatever happens later, is an ERROR event, because clients look for it there.
 * Headers wait for the first event, but no longer than `settleMs`: a client wants to know that its watch stands.
 */
export async function watchAnswer(
  items: AsyncIterable<WatchItem>,
  as: Rendering,
  { clock, settleMs = 20 }: { readonly clock: Clock; readonly settleMs?: number },
): Promise<StreamAnswer> {
  const iterator = items[Symbol.asyncIterator]();
  const first = iterator.next();
  const settled = new AbortController();
  try {
    await Promise.race([first, clock.sleep(settleMs, settled.signal).catch(() => {})]);
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 410) throw error;
  } finally {
    settled.abort();
  }
  return { kind: 'stream', code: 200, contentType: 'application/json', frames: frames(first, iterator, as) };
}

async function* frames(
  first: Promise<IteratorResult<WatchItem>>,
  iterator: AsyncIterator<WatchItem>,
  as: Rendering,
): AsyncGenerator<string | Buffer> {
  let finished = false;
  try {
    let next = await first;
    let begun = false;
    while (next.done !== true) {
      yield frame(next.value, as, !begun);
      begun = true;
      next = await iterator.next();
    }
    finished = true;
  } catch (error) {
    finished = true;
    if (!(error instanceof StatusError)) throw error;
    yield errorFrame(toStatus(error));
  } finally {
    if (!finished) await iterator.return?.();
  }
}

function frame(item: WatchItem, as: Rendering, isFirst: boolean): string | Buffer {
  if (item.type === 'BOOKMARK') return `{"type":"BOOKMARK","object":${JSON.stringify(bookmark(item, as))}}\n`;
  const object = renderEventObject(item.stored, as);
  if (typeof object === 'string')
    return `{"type":"${item.type}","object":${isFirst ? object : withoutColumns(object, as)}}\n`;
  return Buffer.concat([Buffer.from(`{"type":"${item.type}","object":`), object, Buffer.from('}\n')]);
}

/** Column definitions go with the first event of a Table watch only. */
function withoutColumns(object: string, as: Rendering): string {
  if (as.format.kind !== 'table') return object;
  const table = JSON.parse(object) as Record<string, unknown>;
  return JSON.stringify({ ...table, columnDefinitions: null });
}

function bookmark(item: Extract<WatchItem, { type: 'BOOKMARK' }>, { type, format }: Rendering): object {
  const annotations = item.initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const metadata = { resourceVersion: item.resourceVersion, creationTimestamp: null, ...annotations };
  switch (format.kind) {
    case 'object':
      return { kind: type.kind, apiVersion: type.apiVersion, metadata };
    case 'metadata':
      return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${format.version}`, metadata };
    case 'table': {
      // A bookmark of a Table watch is a Table whose metadata carries the version; kubectl reads it there.
      const list = { resourceVersion: item.resourceVersion };
      return {
        kind: 'Table',
        apiVersion: `meta.k8s.io/${format.version}`,
        metadata: list,
        columnDefinitions: null,
        rows: [],
      };
    }
  }
}

function errorFrame(status: Status): string {
  return `{"type":"ERROR","object":${JSON.stringify(status)}}\n`;
}
