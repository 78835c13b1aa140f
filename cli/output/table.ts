// Aligned columns without boxes, as kubectl and nomad print them: easy to read, easy to cut with awk.
import stringWidth from 'string-width';
import type { Format, Paint } from './style.ts';
import { plain } from './style.ts';

interface Cell {
  readonly text: string;
  readonly format?: Format;
  readonly align?: 'right';
}
export type CellLike = string | number | Cell;

const gap = '  ';

/** Lines of a table: the headers, then one line a row; columns as wide as their widest cell. */
export function tableLines(
  headers: readonly string[],
  rows: readonly (readonly CellLike[])[],
  paint: Paint,
): string[] {
  const cells = rows.map((row) => row.map(toCell));
  const widths = headers.map((header, column) =>
    cells.reduce((width, row) => Math.max(width, stringWidth(row[column]?.text ?? '')), stringWidth(header)),
  );
  const head = headers.map((text): Cell => ({ text, format: 'bold' }));
  return [head, ...cells].map((row) => line(row, widths, paint));
}

function line(row: readonly Cell[], widths: readonly number[], paint: Paint): string {
  const last = row.findLastIndex((cell) => cell.text !== '');
  return row
    .slice(0, last + 1)
    .map((cell, column) => {
      const padding = ' '.repeat(Math.max(0, (widths[column] ?? 0) - stringWidth(cell.text)));
      const text = cell.format ? paint(cell.format, cell.text) : cell.text;
      if (cell.align === 'right') return padding + text;
      return column === last ? text : text + padding;
    })
    .join(gap);
}

function toCell(cell: CellLike): Cell {
  if (typeof cell === 'number') return { text: String(cell), align: 'right' };
  if (typeof cell === 'string') return { text: plain(cell) };
  return { ...cell, text: plain(cell.text) };
}
