/**
 * Which Pod Security Standard a namespace asks for by its labels. What it does not ask for is privileged, latest.
 * Source: k8s.io/pod-security-admission, api.
 */
import type { FieldCause } from '../../../api/status.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

/** The newest version of the standards known here: the minor version of Kubernetes that Gatehouse answers as. */
export const newest = 33;

/** A standard in a version: a minor version of Kubernetes 1, or whatever is newest. */
export interface LevelVersion {
  readonly level: Level;
  readonly version: number | 'latest';
}

/** What a namespace does with each of its pods. */
export interface Policy {
  /** Pods that violate this are refused. */
  readonly enforce: LevelVersion;
  /** Violations are noted in the audit event. */
  readonly audit: LevelVersion;
  /** Violations are told to the client. */
  readonly warn: LevelVersion;
}

type Mode = keyof Policy;

const modes: readonly Mode[] = ['enforce', 'audit', 'warn'];
const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];
const prefix = 'pod-security.kubernetes.io/';

/** `restricted:latest`, `baseline:v1.30`. */
export function spelled({ level, version }: LevelVersion): string {
  return `${level}:${version === 'latest' ? version : `v1.${version}`}`;
}

/** Negative, zero or positive: how much stricter `a` is than `b`. */
export function compareLevels(a: Level, b: Level): number {
  return levels.indexOf(a) - levels.indexOf(b);
}

/**
 * The policy that `labels` ask for, and a cause for each that cannot be read. An unreadable level enforces restricted, but
 * neither audits nor warns; an unreadable version is the latest. Without a level to warn at, what is enforced is warned about too,
 * so that whoever creates a Deployment hears that its pods will be refused.
 */
export function policyOf(labels: Readonly<Record<string, string>>): {
  readonly policy: Policy;
  readonly causes: readonly FieldCause[];
} {
  const causes: FieldCause[] = [];
  const read = (mode: Mode): LevelVersion => {
    const [level, version] = [labels[`${prefix}${mode}`], labels[`${prefix}${mode}-version`]];
    const known = level === undefined ? 'privileged' : levels.find((one) => one === level);
    if (known === undefined) causes.push(cause(mode, level, `must be one of ${levels.join(', ')}`));
    const minor = version === undefined || version === 'latest' ? 'latest' : minorOf(version);
    if (minor === undefined) causes.push(cause(`${mode}-version`, version, 'must be "latest" or "v1.x"'));
    return { level: known ?? (mode === 'enforce' ? 'restricted' : 'privileged'), version: minor ?? 'latest' };
  };
  const [enforce, audit, warn] = [read('enforce'), read('audit'), read('warn')];
  const isEnforced = levels.some((level) => level === labels[`${prefix}enforce`]) && enforce.level !== 'privileged';
  const warned =
    isEnforced && labels[`${prefix}warn`] === undefined
      ? {
          level: enforce.level,
          version: labels[`${prefix}warn-version`] === undefined ? enforce.version : warn.version,
        }
      : warn;
  return { policy: { enforce, audit, warn: warned }, causes };
}

/** Whether `labels` ask for nothing at all. */
export function asksNothing(labels: Readonly<Record<string, string>>): boolean {
  return modes.every(
    (mode) => labels[`${prefix}${mode}`] === undefined && labels[`${prefix}${mode}-version`] === undefined,
  );
}

function minorOf(version: string): number | undefined {
  const minor = /^v1\.(0|[1-9]\d{0,8})$/.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

function cause(label: string, value: string | undefined, detail: string): FieldCause {
  return {
    reason: 'FieldValueInvalid',
    field: `metadata.labels[${prefix}${label}]`,
    message: `Invalid value: ${JSON.stringify(value)}: ${detail}`,
  };
}
