/**
 * What JSON.parse does not tell: which fields occur twice, and how deep a text nests, before anything is built from
 * it. V8 parses any depth, but walking or printing what it built overflows the stack.
 */
export interface Scan {
  /** Paths of fields that an object has more than once, in order: `spec.containers[0].image`. */
  readonly duplicates: readonly string[];
  readonly tooDeep: boolean;
}

interface Level {
  /** Keys seen so far; undefined in a list. */
  readonly keys: Set<string> | undefined;
  key: string;
  index: number;
}

const quote = 0x22;
const backslash = 0x5c;

/** Scans JSON text. On text that is no JSON the answer means nothing, but it is given: parse after, not before. */
export function scanJson(text: string, maxDepth: number): Scan {
  const duplicates: string[] = [];
  const levels: Level[] = [];
  let level: Level | undefined;
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const start = at + 1;
        let escaped = false;
        for (at = start; at < text.length && text.charCodeAt(at) !== quote; at++) {
          if (text.charCodeAt(at) !== backslash) continue;
          escaped = true;
          at++;
        }
        if (!expectsKey || level?.keys === undefined) break;
        expectsKey = false;
        const raw = text.slice(start, at);
        level.key = escaped ? unescape(raw) : raw;
        if (level.keys.has(level.key)) duplicates.push(pathOf(levels));
        level.keys.add(level.key);
        break;
      }
      case 0x7b: // {
        if (levels.length >= maxDepth) return { duplicates, tooDeep: true };
        level = { keys: new Set(), key: '', index: 0 };
        levels.push(level);
        expectsKey = true;
        break;
      case 0x5b: // [
        if (levels.length >= maxDepth) return { duplicates, tooDeep: true };
        level = { keys: undefined, key: '', index: 0 };
        levels.push(level);
        expectsKey = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        levels.pop();
        level = levels.at(-1);
        expectsKey = false;
        break;
      case 0x2c: // ,
        if (level === undefined) break;
        if (level.keys === undefined) level.index++;
        else expectsKey = true;
        break;
      default:
    }
  }
  return { duplicates: [...new Set(duplicates)], tooDeep: false };
}

function unescape(raw: string): string {
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return raw; // no JSON: parsing the whole will say so
  }
}

function pathOf(levels: readonly Level[]): string {
  let path = '';
  for (const { keys, key, index } of levels) path += keys === undefined ? `[${index}]` : path === '' ? key : `.${key}`;
  return path;
}
