/**
 * The audit.k8s.io/v1 event of one stage of a request, as canonical bytes. What is secret is taken out here, before the
 * bytes are made, because they are what gets hashed, kept and sent on.
 */
import { rfc3339Micro } from '../std/clock.ts';
import { canonicalJson } from '../std/json.ts';
import type { User } from '../api/user.ts';
import type { Event, ObjectReference } from '../api/types/audit.ts';
import type { Status } from '../api/types/meta.ts';
import type { AuditStage, LevelAnswer } from './policy.ts';
import { redactBody, redactText, redactURI } from './redact.ts';
import type { RequestFacts } from './recorder.ts';

/** Events larger than this lose their bodies and say so. Chosen, not measured: the largest object is 3 MiB. */
const maxEventBytes = 1024 * 1024;

/** Everything an event tells. Times are milliseconds since the epoch. */
export interface EventInput {
  readonly answer: LevelAnswer;
  readonly stage: AuditStage;
  readonly auditID: string;
  readonly facts: RequestFacts;
  readonly user: User;
  readonly impersonated: User | undefined;
  /** undefined before there is an answer. */
  readonly code: number | undefined;
  readonly requestObject: unknown;
  readonly responseObject: unknown;
  readonly receivedAt: number;
  readonly stageAt: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The canonical bytes of the event, or undefined when the policy wants none of this stage. */
export function eventBytes(input: EventInput): Buffer | undefined {
  const { answer } = input;
  if (answer.level === 'None' || answer.omitStages.includes(input.stage)) return undefined;
  const whole = Buffer.from(canonicalJson(eventOf(input)));
  if (whole.length <= maxEventBytes) return whole;
  const annotations = { ...input.annotations, 'audit.k8s.io/truncated': 'true' };
  return Buffer.from(
    canonicalJson(eventOf({ ...input, requestObject: undefined, responseObject: undefined, annotations })),
  );
}

function eventOf(input: EventInput): Event {
  const { answer, facts } = input;
  const objectRef = objectRefOf(facts);
  const userAgent = redactText(facts.userAgent);
  const bodies = bodiesOf(input);
  const status = input.code === undefined ? undefined : statusOf(input.code, input.responseObject);
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: answer.level,
    auditID: input.auditID,
    stage: input.stage,
    requestURI: redactURI(facts.requestURI),
    verb: facts.verb,
    user: userInfo(input.user),
    ...(input.impersonated === undefined ? {} : { impersonatedUser: userInfo(input.impersonated) }),
    sourceIPs: facts.sourceIPs,
    ...(userAgent === '' ? {} : { userAgent }),
    ...(objectRef === undefined ? {} : { objectRef }),
    ...(status === undefined ? {} : { responseStatus: status }),
    ...bodies,
    requestReceivedTimestamp: rfc3339Micro(input.receivedAt),
    stageTimestamp: rfc3339Micro(input.stageAt),
    annotations: input.annotations,
  };
}

function userInfo(user: User): object {
  return {
    username: user.name,
    ...(user.uid === '' ? {} : { uid: user.uid }),
    groups: user.groups,
    ...(Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
  };
}

function objectRefOf(facts: RequestFacts): ObjectReference | undefined {
  if (!facts.isResource) return undefined;
  return {
    resource: facts.resource,
    apiVersion: facts.version,
    ...(facts.group === '' ? {} : { apiGroup: facts.group }),
    ...(facts.namespace === '' ? {} : { namespace: facts.namespace }),
    ...(facts.name === '' ? {} : { name: facts.name }),
    ...(facts.subresource === '' ? {} : { subresource: facts.subresource }),
  };
}

/** Bodies belong to requests for resources, and to their last stage: before it there is no response. */
function bodiesOf({ answer, facts, requestObject, responseObject, stage }: EventInput): Partial<Event> {
  if (!facts.isResource || stage === 'RequestReceived') return {};
  const show = (body: unknown): unknown => redactBody(body, facts, answer.omitManagedFields);
  const request = answer.level === 'Request' || answer.level === 'RequestResponse';
  return {
    ...(request && requestObject !== undefined ? { requestObject: show(requestObject) } : {}),
    ...(answer.level === 'RequestResponse' && responseObject !== undefined
      ? { responseObject: show(responseObject) }
      : {}),
  };
}

/** The answer's code, and for a failure what its Status said. */
function statusOf(code: number, response: unknown): Status {
  const base = { metadata: {}, code };
  if (typeof response !== 'object' || response === null || !('kind' in response) || response.kind !== 'Status') {
    return base;
  }
  const text = (name: 'status' | 'message' | 'reason'): Partial<Status> => {
    const value = (response as Readonly<Record<string, unknown>>)[name];
    return typeof value === 'string' ? { [name]: redactText(value) } : {};
  };
  return { ...base, ...text('status'), ...text('message'), ...text('reason') };
}
