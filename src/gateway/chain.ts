/**
 * The way of every request, once, for HTTP and for upgrades alike:
 *
 *   1 request info    what is asked, parsed once; refused when it can be read in two ways
 *   2 audit begins    from here on the request leaves a record whatever happens
 *   3 authenticate    who asks
 *   4 current policy  nobody is let in by a policy that may have changed
 *   5 impersonate     who they ask to be, each part a permission
 *   6 flow control    how much
 *   7 scope           a namespaced path for a namespaced resource, before any role is asked
 *   8 authorize       may they (Casbin)
 *   9 handle          the route
 *  10 audit ends      as durable as the request demands, before anyone is answered
 */
import type { AccessRequest, Decision } from '../api/access.ts';
import { StatusError, badRequest, unavailable } from '../api/status.ts';
import type { User } from '../api/user.ts';
import type { Recorder, Recording, RequestFacts } from '../audit/recorder.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import { authenticate, type Authenticated, type TokenAuthenticator } from './authn/authenticator.ts';
import { deniedImpersonation, parseImpersonation } from './authn/impersonation.ts';
import type { FlowControl } from './flow-control.ts';
import { header, maxHeaders, type Answer, type Headers, type Inbound } from './inbound.ts';
import type { Kinds } from './kinds.ts';
import type { RequestObserver } from './metrics.ts';
import { deniedStatus } from '../authz/forbidden.ts';
import { statusAnswer, statusErrorOf } from './refusal.ts';
import { parseRequest, recordedUri, type RequestInfo } from './request-info.ts';

/** May a user do something? Synchronous: no other request comes between the question and the answer. */
export interface Authorizer {
  authorize(request: AccessRequest): Decision;
}

/** A request that passed every check. What a route gets. */
export interface Admitted {
  readonly inbound: Inbound;
  readonly info: RequestInfo;
  readonly user: User;
  readonly recording: Recording;
  readonly warnings: Set<string>;
}

/** Answers an admitted request. Throws StatusError. */
export type Handler = (request: Admitted) => Promise<Answer>;

/** Takes over an admitted upgrade. Throws StatusError before it has written anything to the socket. */
export type UpgradeHandler = (request: Admitted) => Promise<void>;

export interface ChainDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: Recorder;
  readonly tokens: TokenAuthenticator;
  readonly authorizer: Authorizer;
  /** Whether this process has lately confirmed with the database that it has seen every change. */
  readonly policyIsCurrent: () => boolean;
  readonly flow: FlowControl;
  readonly kinds: Kinds;
  readonly observer: RequestObserver;
}

export interface Chain {
  /** Takes `inbound` through the chain and `handle`; `respond` writes the answer. Never throws. */
  serve(inbound: Inbound, handle: Handler, respond: (answer: Answer) => Promise<void>): Promise<void>;
  /** The same for an upgrade: `accept` is called once the record says so; `refuse` closes the connection with a Status. */
  upgrade(inbound: Inbound, accept: UpgradeHandler, refuse: (answer: Answer) => Promise<void>): Promise<void>;
}

/** The one chain of a gateway. */
export function createChain(deps: ChainDeps): Chain {
  return {
    serve: (inbound, handle, respond) =>
      run(
        deps,
        inbound,
        async (entry, admit) => {
          const { answer, request } = await answered(deps, entry, admit, handle);
          const complete = withStandardHeaders(answer, entry.recording, request?.warnings);
          if (complete.kind === 'stream') await entry.recording.started(complete.code);
          else await entry.recording.finish(complete.code);
          await respond(complete);
          if (complete.kind === 'stream') await entry.recording.finish(complete.code);
          return complete.code;
        },
        respond,
      ),
    upgrade: (inbound, accept, refuse) =>
      run(
        deps,
        inbound,
        async (entry, admit) => {
          const request = await admit();
          requireCreate(deps, request);
          await entry.recording.started(101);
          await accept(request);
          await entry.recording.finish(101);
          return 101;
        },
        refuse,
      ),
  };
}

/** A request that has a record, and nothing else yet. */
interface Entry {
  readonly inbound: Inbound;
  readonly info: RequestInfo;
  readonly recording: Recording;
}

type Course = (entry: Entry, admit: () => Promise<Admitted>) => Promise<number>;

/** Steps 1 and 2, then `course`; whatever it throws is recorded and answered. */
async function run(
  deps: ChainDeps,
  inbound: Inbound,
  course: Course,
  respond: (answer: Answer) => Promise<void>,
): Promise<void> {
  const startedAt = deps.clock.monotonic();
  const parsed = requestInfo(inbound);
  const recording = deps.recorder.begin(factsOf(inbound, parsed.info));
  const entry: Entry = { inbound, info: parsed.info, recording };
  let leave = (): void => {};
  let code: number;
  try {
    if (parsed.refused !== undefined) throw parsed.refused;
    code = await course(entry, () =>
      admit(deps, entry, (release) => {
        leave = release;
      }),
    );
  } catch (error) {
    code = await refuse(deps, entry, error, respond);
  } finally {
    leave();
  }
  deps.observer.finished(parsed.info, code, (deps.clock.monotonic() - startedAt) / 1000);
}

/** Steps 3 to 8. Throws Unauthorized, Forbidden, TooManyRequests, ServiceUnavailable, NotFound. */
async function admit(deps: ChainDeps, entry: Entry, entered: (release: () => void) => void): Promise<Admitted> {
  const { inbound, info, recording } = entry;
  const caller = await authenticate(inbound, { tokens: deps.tokens, now: deps.clock.now() });
  recording.authenticated(caller.user, caller.authenticator);
  requireCurrentPolicy(deps, info);
  const user = impersonate(deps, inbound, caller, recording);
  entered(deps.flow.enter(info, user));
  requireScope(deps.kinds, info);
  const access = accessRequest(info, user);
  const decision = deps.authorizer.authorize(access);
  recording.decided(decision);
  if (!decision.allowed) throw deniedStatus(access);
  return {
    inbound,
    info,
    user,
    recording,
    warnings: new Set(),
  };
}

/** Steps 3 to 9. */
async function answered(
  deps: ChainDeps,
  { recording }: Entry,
  admit: () => Promise<Admitted>,
  handle: Handler,
): Promise<{ readonly answer: Answer; readonly request: Admitted | undefined }> {
  let request: Admitted | undefined;
  try {
    request = await admit();
    return { answer: await handle(request), request };
  } catch (error) {
    if (!(error instanceof StatusError)) recording.panicked();
    return { answer: statusAnswer(statusErrorOf(error, deps.log)), request };
  }
}

/** Records and answers a failure that no answer exists for yet. When even the record cannot be kept, that is the answer. */
async function refuse(
  deps: ChainDeps,
  { recording }: Entry,
  error: unknown,
  respond: (answer: Answer) => Promise<void>,
): Promise<number> {
  let failure = statusErrorOf(error, deps.log);
  try {
    await recording.finish(failure.code);
  } catch (unrecorded) {
    failure = statusErrorOf(unrecorded, deps.log);
  }
  try {
    await respond(withStandardHeaders(statusAnswer(failure), recording, undefined));
  } catch (lost) {
    deps.log.debug('the answer could not be sent', { error: lost });
  }
  return failure.code;
}

function requestInfo(inbound: Inbound): { readonly info: RequestInfo; readonly refused?: StatusError } {
  try {
    // At the limit an Impersonate- header may have been dropped, and the request would run as who sent it.
    if (inbound.rawHeaders.length >= 2 * maxHeaders)
      throw badRequest(`a request may carry ${maxHeaders - 1} headers at most`);
    return { info: parseRequest(inbound.method, inbound.url) };
  } catch (error) {
    const refused =
      error instanceof StatusError
        ? error
        : new StatusError('BadRequest', 'the request cannot be read', { cause: error });
    const verb = inbound.method.toLowerCase();
    return {
      refused,
      info: { kind: 'path', verb, method: inbound.method, path: '', query: new URLSearchParams(), longRunning: false },
    };
  }
}

/** Health must be answerable while the database is away, or every supervisor would restart a gateway that is fine. */
const answeredAnyway = new Set(['/livez', '/healthz', '/readyz', '/metrics', '/version']);

function requireCurrentPolicy(deps: ChainDeps, info: RequestInfo): void {
  if (deps.policyIsCurrent()) return;
  if (info.kind === 'path' && answeredAnyway.has(info.path)) return;
  throw unavailable('the database cannot be reached, so it is not certain that the policy is current: try again');
}

function impersonate(deps: ChainDeps, inbound: Inbound, caller: Authenticated, recording: Recording): User {
  const asked = parseImpersonation(inbound.rawHeaders);
  if (asked === undefined) return caller.user;
  const denied = deniedImpersonation(asked, caller.user, (request) => deps.authorizer.authorize(request));
  if (denied !== undefined) {
    recording.decided(denied.decision);
    throw deniedStatus(denied.request);
  }
  recording.impersonated(asked.user);
  return asked.user;
}

/** A cluster-scoped resource asked for through a namespace would be judged by that namespace's roles (CVE-2019-11247). */
function requireScope(kinds: Kinds, info: RequestInfo): void {
  if (info.kind === 'path') return;
  const type = kinds.find(info.group, info.version, info.resource);
  if (type !== undefined && !type.namespaced && info.inNamespace) {
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  }
}

const insidePods: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward']);

/**
 * A WebSocket begins with GET, and who may read would get inside a pod with it: that needs the right to create, as it does
 * by any other method. Source: upstream since 1.35, AuthorizePodWebsocketUpgradeCreatePermission.
 */
function requireCreate(deps: ChainDeps, { info, user, recording }: Admitted): void {
  if (info.kind !== 'resource' || info.group !== '' || info.resource !== 'pods') return;
  if (info.verb === 'create' || !insidePods.has(info.subresource)) return;
  const access = accessRequest({ ...info, verb: 'create' }, user);
  const decision = deps.authorizer.authorize(access);
  recording.decided(decision);
  if (!decision.allowed) throw deniedStatus(access);
}

/** What authorization is asked for `info`. */
function accessRequest(info: RequestInfo, user: User): AccessRequest {
  if (info.kind === 'path') return { kind: 'path', user, verb: info.verb, path: info.path };
  const { verb, group, version, resource, subresource, namespace, name, query } = info;
  const [fieldSelector, labelSelector] = [query.get('fieldSelector'), query.get('labelSelector')];
  return {
    kind: 'resource',
    user,
    verb,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    ...(fieldSelector === null ? {} : { fieldSelector }),
    ...(labelSelector === null ? {} : { labelSelector }),
  };
}

function factsOf(inbound: Inbound, info: RequestInfo): RequestFacts {
  const resource = info.kind === 'resource';
  return {
    verb: info.verb,
    requestURI: recordedUri(inbound.url),
    isResource: resource,
    group: resource ? info.group : '',
    version: resource ? info.version : '',
    resource: resource ? info.resource : '',
    subresource: resource ? info.subresource : '',
    namespace: resource ? info.namespace : '',
    name: resource ? info.name : '',
    sourceIPs: inbound.peer.address === '' ? [] : [inbound.peer.address],
    userAgent: header(inbound, 'user-agent'),
    traceId: /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(header(inbound, 'traceparent'))?.[1] ?? '',
  };
}

function withStandardHeaders(answer: Answer, recording: Recording, warnings: ReadonlySet<string> | undefined): Answer {
  const standard: Headers = { 'audit-id': recording.auditID, 'cache-control': 'no-cache, private' };
  const warned =
    warnings === undefined || warnings.size === 0 ? standard : { ...standard, warning: warningsOf(warnings) };
  const headers = answer.headers === undefined ? warned : { ...warned, ...answer.headers };
  const { code, contentType } = answer;
  return answer.kind === 'whole'
    ? { kind: 'whole', code, contentType, headers, body: answer.body }
    : { kind: 'stream', code, contentType, headers, frames: answer.frames };
}

function warningsOf(warnings: ReadonlySet<string>): string {
  return [...warnings].map(warningHeader).join(', ');
}

/** RFC 9111 §5.5 (obsolete, and what kubectl prints): code 299, no agent, a quoted text. */
function warningHeader(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters would end the header
  return `299 - "${text.replaceAll(/[\u0000-\u001f\u007f-\uffff]/g, '?').replaceAll(/["\\]/g, '\\$&')}"`;
}
