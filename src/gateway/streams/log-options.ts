/** The query of `pods/log`, read and judged as upstream does (v1 PodLogOptions). */
import { badRequest, invalid } from '../../api/status.ts';
import type { FieldCause } from '../../api/status.ts';
import type { LogQuery } from '../../core/node/streams/wire.ts';
import { parseInstant } from '../../std/clock.ts';
import { isTrue } from '../request-info.ts';

export type LogOptions = Omit<LogQuery, 'namespace' | 'pod' | 'uid' | 'container'>;

/** What part of the log of `pod` is asked for. Throws BadRequest for what cannot be read, Invalid for what cannot be. */
export function parseLogOptions(query: URLSearchParams, pod: string): LogOptions {
  const numbers = {
    tailLines: integer(query, 'tailLines'),
    sinceSeconds: integer(query, 'sinceSeconds'),
    limitBytes: integer(query, 'limitBytes'),
    sinceTime: instant(query),
  };
  const causes = wrong(numbers);
  if (causes.length > 0) throw invalid('', 'PodLogOptions', pod, causes);
  return {
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    ...(numbers.tailLines === undefined ? {} : { tailLines: numbers.tailLines }),
    ...(numbers.sinceSeconds === undefined ? {} : { sinceSeconds: numbers.sinceSeconds }),
    ...(numbers.sinceTime === undefined ? {} : { sinceTime: numbers.sinceTime }),
    ...(numbers.limitBytes === undefined ? {} : { limitBytes: numbers.limitBytes }),
  };
}

interface Numbers {
  readonly tailLines: number | undefined;
  readonly sinceSeconds: number | undefined;
  readonly limitBytes: number | undefined;
  readonly sinceTime: number | undefined;
}

function wrong({ tailLines, sinceSeconds, limitBytes, sinceTime }: Numbers): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  const value = (field: string, found: number, must: string): void => {
    causes.push({ reason: 'FieldValueInvalid', message: `Invalid value: ${found}: ${must}`, field });
  };
  if (tailLines !== undefined && tailLines < 0) value('tailLines', tailLines, 'must be greater than or equal to 0');
  if (limitBytes !== undefined && limitBytes < 1) value('limitBytes', limitBytes, 'must be greater than 0');
  if (sinceSeconds !== undefined && sinceTime !== undefined) {
    const message = 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified';
    causes.push({ reason: 'FieldValueForbidden', message, field: '' });
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    value('sinceSeconds', sinceSeconds, 'must be greater than 0');
  }
  return causes;
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!/^[-+]?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw badRequest(`${name}: ${JSON.stringify(text)} is not a whole number`);
  }
  return value;
}

function instant(query: URLSearchParams): number | undefined {
  const text = query.get('sinceTime');
  if (text === null || text === '') return undefined;
  const value = parseInstant(text);
  if (value === undefined) throw badRequest(`sinceTime: ${JSON.stringify(text)} is not a time as RFC 3339 writes it`);
  return value;
}
