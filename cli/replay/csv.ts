// Comma-separated values with a header line, as the openb trace uses them: no quotes, no line breaks in fields. What is
// not understood is refused with file and line, never skipped.
import { BorealisError } from '../../shared/lib/errors.ts';

/** One row with its place, for messages. */
export interface CsvRow {
  /** `FILE:LINE`, lines counted from 1 with the header. */
  readonly place: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** The rows of a CSV text. INVALID_CONFIG: a missing column, a row with too few or too many fields, no rows. */
export function parseCsv(file: string, text: string, columns: readonly string[]): CsvRow[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const header = (lines[0] ?? '').split(',').map((name) => name.trim());
  const missing = columns.filter((name) => !header.includes(name));
  if (missing.length > 0) {
    throw badRow(`${file}:1`, `the header has no column ${missing.join(', ')}; it has ${header.join(', ')}`);
  }
  const rows = lines.slice(1).flatMap((line, index): CsvRow[] => {
    if (line.trim() === '') return [];
    const place = `${file}:${index + 2}`;
    const values = line.split(',');
    if (values.length !== header.length) {
      throw badRow(place, `${values.length} fields where the header has ${header.length}`);
    }
    return [
      { place, fields: Object.fromEntries(header.map((name, at) => [name, (values[at] ?? '').trim()])) },
    ];
  });
  if (rows.length === 0) throw badRow(file, 'no rows after the header');
  return rows;
}

/** A whole number from `low` to `high`; INVALID_CONFIG with the row's place otherwise. */
export function wholeNumber(row: CsvRow, column: string, low: number, high: number): number {
  const text = row.fields[column] ?? '';
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw badRow(row.place, `${column} is "${text}", not a whole number from ${low} to ${high}`);
}

/** The error for a row that cannot be used. */
export function badRow(place: string, problem: string): BorealisError {
  return new BorealisError(
    'INVALID_CONFIG',
    `${place}: ${problem}. Nothing was submitted; correct the file.`,
  );
}
