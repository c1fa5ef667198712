/** Who a request is from, once authenticated (and impersonated, where asked). Source: authentication.k8s.io/v1 UserInfo. */
export interface User {
  readonly name: string;
  /** '' when the authenticator knows none. */
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** The user of a request that showed no credentials. */
export const anonymous: User = {
  name: 'system:anonymous',
  uid: '',
  groups: ['system:unauthenticated'],
  extra: {},
};
