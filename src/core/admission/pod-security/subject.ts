/**
 * A pod, or the template of one, as the Pod Security Standards look at it; and the phrases in which they answer.
 * Source: k8s.io/pod-security-admission.
 */
import type { Fields } from '../../../std/value.ts';
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';

interface Contained {
  readonly name: string;
  readonly fields: Fields;
  /** Its securityContext. */
  readonly security: Fields;
}

/** What a check looks at. */
export interface Subject {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Fields;
  /** The pod's own securityContext. */
  readonly security: Fields;
  /** Init containers, containers, ephemeral containers, in this order. */
  readonly containers: readonly Contained[];
}

/** What a check found: the reason, and who did it. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

/** One check in one version of the standards. undefined: nothing to object to. */
export type Check = (subject: Subject) => Violation | undefined;

/** The subject of `pod`: a Pod or a PodTemplateSpec. */
export function subjectOf(pod: unknown): Subject {
  const spec = fieldsOf(at(pod, 'spec'));
  const annotations = Object.entries(fieldsOf(at(pod, 'metadata', 'annotations')));
  return {
    annotations: Object.fromEntries(annotations.map(([key, value]) => [key, textOf(value)])),
    spec,
    security: fieldsOf(spec['securityContext']),
    containers: ['initContainers', 'containers', 'ephemeralContainers'].flatMap((kind) =>
      listOf(spec[kind]).map((item) => {
        const fields = fieldsOf(item);
        return { name: textOf(fields['name']), fields, security: fieldsOf(fields['securityContext']) };
      }),
    ),
  };
}

/** Whether the pod says that it runs on Windows, where parts of the restricted standard have no meaning. */
export function isWindows({ spec }: Subject): boolean {
  return at(spec, 'os', 'name') === 'windows';
}

/** The names of the containers that `claim` holds for. */
export function containersWhere(subject: Subject, claim: (container: Contained) => boolean): readonly string[] {
  return subject.containers.filter(claim).map(({ name }) => name);
}

/** `"a", "b"`: as the standards quote, without escapes. */
export function quoted(names: Iterable<string>): string {
  return [...names].map((name) => `"${name}"`).join(', ');
}

/** `container "a"`, `containers "a", "b"`. */
export function naming(names: readonly string[]): string {
  return `${plural('container', names)} ${quoted(names)}`;
}

/** Who did it: the pod, containers of it, or both. '' when nobody did. */
export function setters(isPod: boolean, names: readonly string[]): string {
  return [...(isPod ? ['pod'] : []), ...(names.length > 0 ? [naming(names)] : [])].join(' and ');
}

/** `word`, with an s unless there is exactly one of `things`. */
export function plural(word: string, things: readonly unknown[]): string {
  return things.length === 1 ? word : `${word}s`;
}

/** Each once, in order of bytes. */
export function distinct(values: Iterable<string>): readonly string[] {
  return [...new Set(values)].toSorted();
}
