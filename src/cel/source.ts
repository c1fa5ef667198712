/** Something wrong with an expression, at a place in its source. */
export interface Issue {
  readonly message: string;
  /** From 1. */
  readonly line: number;
  /** In code points, from 1. */
  readonly column: number;
}

/** The issue `message` at UTF-16 offset `offset` of `source`. */
export function issueAt(source: string, offset: number, message: string): Issue {
  const before = source.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { message, line: before.split('\n').length, column: Array.from(before.slice(lineStart)).length + 1 };
}

/** A line longer than this is not shown under its issue. As upstream. */
const maxSnippetLength = 16_384;

/**
 * The issues as the field shows them: `ERROR: <input>:1:5: text`, the line, and a caret below the column; one issue
 * after the other, in source order.
 */
export function formatIssues(source: string, issues: readonly Issue[]): string {
  const lines = source.split('\n');
  return issues
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .map((issue) => {
      const head = `ERROR: <input>:${issue.line}:${issue.column}: ${issue.message}`;
      const line = (lines[issue.line - 1] ?? '').replaceAll('\t', ' ');
      if (line.length > maxSnippetLength) return head;
      const points = Array.from(line);
      const dots = points.slice(0, issue.column - 1).map((point) => (isWide(point) ? '\uff0e' : '.'));
      const under = isWide(points[issue.column - 1] ?? '') ? '\uff3e' : '^';
      return `${head}\n | ${line}\n | ${dots.join('')}${under}`;
    })
    .join('\n');
}

function isWide(point: string): boolean {
  return (point.codePointAt(0) ?? 0) > 0x7f;
}
