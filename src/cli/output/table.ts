/** A column: its heading and what stands there of a row; a number is right-aligned when `right` says so. */
export interface Column<R> {
  readonly heading: string;
  readonly cell: (row: R) => string | undefined;
  readonly right?: boolean;
}

/** Stands where a cell has nothing to say. */
const nothing = '-';

/** Between two columns. */
const gap = '   ';

/** Rows under headings, each column as wide as its widest cell; ends with a line end. */
export function formatTable<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const lines = [
    columns.map(({ heading }) => heading),
    ...rows.map((row) => columns.map(({ cell }) => printable(cell(row) || nothing))),
  ];
  const widths = columns.map((_column, index) => Math.max(...lines.map((line) => displayWidth(line[index] ?? ''))));
  return lines
    .map((line) => line.map((text, index) => pad(text, widths[index] ?? 0, columns[index]?.right ?? false)))
    .map((cells) => `${cells.join(gap).trimEnd()}\n`)
    .join('');
}

function pad(text: string, width: number, right: boolean): string {
  const missing = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return right ? `${missing}${text}` : `${text}${missing}`;
}

/** Columns of a terminal that a text takes: wide characters take two, combining ones none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}|\p{Format}/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}

/** Control characters as `\xNN`: what a task is called or runs must not steer the terminal of who looks at it. */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Control}\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}
