/**
 * Sizes of terminals, as clients tell them: `{"Width":80,"Height":24}`, the names in any case, for upstream reads them so
 * and the official JavaScript client writes them small. Pure.
 */

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The size that `text` tells, or undefined where it tells none. */
export function readTerminalSize(text: string): TerminalSize | undefined {
  try {
    const size: unknown = JSON.parse(text);
    if (typeof size !== 'object' || size === null) return undefined;
    const told = new Map(Object.entries(size).map(([name, value]) => [name.toLowerCase(), value as unknown]));
    const [columns, rows] = [told.get('width'), told.get('height')];
    if (isCells(columns) && isCells(rows)) return { columns, rows };
  } catch {
    // No JSON: no size.
  }
  return undefined;
}

/** Longer than any size; what is longer is dropped. */
const maxText = 1024;

/** Sizes out of a stream of them, one object after the other, however it is cut. */
export function createSizeReader(): (bytes: Buffer) => readonly TerminalSize[] {
  let rest = '';
  return (bytes) => {
    const texts = (rest + bytes.toString('latin1')).split('}');
    rest = (texts.pop() ?? '').slice(0, maxText);
    return texts.flatMap((text) => readTerminalSize(`${text}}`) ?? []);
  };
}

function isCells(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}
