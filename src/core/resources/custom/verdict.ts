/** The step of a write that brings the status of a definition up to date. */
import type { KubeObject } from '../../../api/meta.ts';
import { builtinKinds } from '../../../api/schema/kinds.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { Clock } from '../../../std/clock.ts';
import { at, fieldsOf, listOf } from '../../../std/value.ts';
import { storageName } from '../address.ts';
import { definitionsName, withVerdict } from './definition-status.ts';
import type { ServedKinds } from './kinds.ts';

/** Conditions that only the server speaks: a client that writes /status does not decide them. */
const own: ReadonlySet<unknown> = new Set(['NamesAccepted', 'Established', 'Terminating', 'NonStructuralSchema']);

/** Gives a definition its status by `kinds`; leaves every other object as it is. */
export function definitionVerdict(
  kinds: Pick<ServedKinds, 'definitions'>,
  clock: Pick<Clock, 'now'>,
): (type: ResourceType, next: KubeObject, old: KubeObject | undefined) => KubeObject {
  return (type, next, old) => {
    if (storageName(type) !== definitionsName) return next;
    const around = { definitions: kinds.definitions(), builtin: builtinKinds.all(), now: clock.now() };
    return withVerdict(old === undefined ? next : withOwnWords(next, old), around);
  };
}

/** `next` with what `old` had of what only the server says. */
function withOwnWords(next: KubeObject, old: KubeObject): KubeObject {
  const conditions = (object: KubeObject): readonly Readonly<Record<string, unknown>>[] =>
    listOf(at(object, 'status', 'conditions')).map(fieldsOf);
  const kept = conditions(old).filter((condition) => own.has(condition['type']));
  const theirs = conditions(next).filter((condition) => !own.has(condition['type']));
  const acceptedNames = at(old, 'status', 'acceptedNames');
  return {
    ...next,
    status: {
      ...fieldsOf(next['status']),
      ...(acceptedNames === undefined ? {} : { acceptedNames }),
      conditions: [...kept, ...theirs],
    },
  };
}
