/** `text` between double quotes, control characters and quotes escaped: clients compare messages with what Go's %q prints. */
export function goQuote(text: string): string {
  // JSON escapes as Go does, but for the few controls that Go spells with \x or a letter.
  return JSON.stringify(text).replaceAll(/\\u00([01][0-9a-f])/g, (_all, hex: string) =>
    hex === '07' ? '\\a' : hex === '0b' ? '\\v' : `\\x${hex}`,
  );
}

/** A list as Go's %q prints it: `["a" "b"]`. */
export function goList(texts: readonly string[]): string {
  return `[${texts.map(goQuote).join(' ')}]`;
}
