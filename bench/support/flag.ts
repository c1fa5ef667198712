/** The value of `--name VALUE` among `flags`; undefined when it is not there. */
export function flagOf(flags: readonly string[], name: string): string | undefined {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? undefined : flags[at + 1];
}
