/** Reviews: questions that are asked as objects, answered in their status, and not kept. */
import type { KubeObject } from '../../api/meta.ts';
import { decodeBody } from '../../api/schema/decode.ts';
import { badRequest } from '../../api/status.ts';
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '../../api/types/authorization.ts';
import type { TokenReview, TokenReviewStatus, UserInfo } from '../../api/types/authentication.ts';
import type { User } from '../../api/user.ts';
import type { Authorizer as RulesAuthorizer } from '../../authz/authorizer.ts';
import {
  accessReviewStatus,
  localSubjectAccessRequest,
  rulesReviewStatus,
  selfSubjectAccessRequest,
  subjectAccessRequest,
} from '../../authz/reviews.ts';
import { rfc3339, type Clock } from '../../std/clock.ts';
import type { TokenAuthenticator } from '../authn/authenticator.ts';
import type { Admitted } from '../chain.ts';
import { header, jsonAnswer } from '../inbound.ts';
import type { Kinds } from '../kinds.ts';
import type { ResourceRequest } from '../request-info.ts';
import { pageNotFound, type ResourceHandler } from '../router.ts';
import { fieldValidation } from './options.ts';
import { bodyLimitBytes } from './resources.ts';

export interface ReviewDeps {
  readonly kinds: Kinds;
  readonly authorizer: Pick<RulesAuthorizer, 'authorize' | 'rulesFor'>;
  readonly tokens: TokenAuthenticator;
  readonly clock: Clock;
}

/** What the status of a review says, given the review as decoded. */
type Answering = (review: KubeObject, request: Admitted, info: ResourceRequest) => object | Promise<object>;

/** The routes of both review groups, by `GROUP/RESOURCE`. */
export function reviewRoutes(deps: ReviewDeps): ReadonlyMap<string, ResourceHandler> {
  const { authorizer } = deps;
  const authorization: Readonly<Record<string, Answering>> = {
    subjectaccessreviews: (review) =>
      accessReviewStatus(authorizer.authorize(subjectAccessRequest(review as unknown as SubjectAccessReview))),
    localsubjectaccessreviews: (review, _request, { namespace }) =>
      accessReviewStatus(
        authorizer.authorize(localSubjectAccessRequest(review as unknown as LocalSubjectAccessReview, namespace)),
      ),
    selfsubjectaccessreviews: (review, { user }) =>
      accessReviewStatus(
        authorizer.authorize(selfSubjectAccessRequest(review as unknown as SelfSubjectAccessReview, user)),
      ),
    selfsubjectrulesreviews: (review, { user }) =>
      rulesReviewStatus(review as unknown as SelfSubjectRulesReview, user, authorizer),
  };
  const authentication: Readonly<Record<string, Answering>> = {
    selfsubjectreviews: (_review, { user }) => ({ userInfo: userInfo(user) }),
    tokenreviews: (review) => tokenReview(review as unknown as TokenReview, deps.tokens),
  };
  return new Map([
    ...Object.entries(authorization).map(([resource, answer]) => route(deps, 'authorization.k8s.io', resource, answer)),
    ...Object.entries(authentication).map(([resource, answer]) =>
      route(deps, 'authentication.k8s.io', resource, answer),
    ),
  ]);
}

function route(
  { kinds, clock }: ReviewDeps,
  group: string,
  resource: string,
  answer: Answering,
): [string, ResourceHandler] {
  const handler: ResourceHandler = async (request, info) => {
    const type = kinds.find(info.group, info.version, info.resource);
    if (type === undefined || info.verb !== 'create' || info.pathName !== '') throw pageNotFound();
    const review = await decodeRequest(request, info, type);
    const status = await answer(review, request, info);
    const metadata = { ...review.metadata, creationTimestamp: rfc3339(clock.now()) };
    const answered = { ...review, metadata, status };
    request.recording.responseObject(answered);
    return jsonAnswer(201, answered);
  };
  return [`${group}/${resource}`, handler];
}

/** The object in the body of `request`, decoded by the schema of `expected`. Throws what decodeBody throws. */
export async function decodeRequest(
  request: Admitted,
  info: ResourceRequest,
  expected: Parameters<typeof decodeBody>[0],
): Promise<KubeObject> {
  const contentType = (header(request.inbound, 'content-type').split(';')[0] ?? '').trim().toLowerCase();
  const bytes = await request.inbound.body(bodyLimitBytes);
  const { object, warnings } = decodeBody(expected, bytes, contentType, fieldValidation(info.query));
  for (const text of warnings) request.warnings.add(text);
  request.recording.requestObject(object);
  return object as unknown as KubeObject; // decodeBody has held it to the schema
}

async function tokenReview({ spec }: TokenReview, tokens: TokenAuthenticator): Promise<TokenReviewStatus> {
  const { token = '', audiences } = spec;
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  try {
    const verified = await tokens(token, audiences !== undefined && audiences.length > 0 ? audiences : undefined);
    if (verified === undefined) return { authenticated: false, error: 'the token is not known here' };
    return { authenticated: true, user: userInfo(verified.user), audiences: verified.audiences };
  } catch (error) {
    const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : 'the token is not valid';
    return { authenticated: false, error: why };
  }
}

function userInfo({ name, uid, groups, extra }: User): UserInfo {
  return {
    username: name,
    groups,
    ...(uid === '' ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}
