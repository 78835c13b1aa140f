// What the codecs share: the shape of a stored row as the document client gives it, and the error for one that makes
// no sense. Rows were written by this code, so reading checks only what it needs and never runs a schema per row.
import { BorealisError, isBorealisError } from '../../lib/errors.ts';

export type Row = Readonly<Record<string, unknown>>;

/** The row cannot be read: somebody else wrote to the table, or a newer version did. */
export function unreadable(what: string, row: Row, cause?: unknown): BorealisError {
  return new BorealisError(
    'INTERNAL',
    `the stored ${what} at ${String(row.pk)} / ${String(row.sk)} cannot be read; nothing was changed. ` +
      'Was the table written by something else, or by a newer version?',
    { details: { pk: row.pk, sk: row.sk }, ...(cause !== undefined && { cause }) },
  );
}

/** Is this the failure to read one row? */
export function isUnreadable(error: unknown): boolean {
  if (!isBorealisError(error, 'INTERNAL')) return false;
  const details = error.details as { readonly pk?: unknown; readonly sk?: unknown } | undefined;
  return details?.pk !== undefined && details.sk !== undefined;
}

/** Makes whatever `decode` stumbles over the failure to read that row, so that the row can be set aside by itself. */
export function decoder<T>(what: string, decode: (row: Row) => T): (row: Row) => T {
  return (row) => {
    try {
      return decode(row);
    } catch (error) {
      throw isBorealisError(error) ? error : unreadable(what, row, error);
    }
  };
}

export function stringOf(row: Row, name: string, what: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw unreadable(what, row);
  return value;
}

export function numberOf(row: Row, name: string, what: string): number {
  const value = row[name];
  if (typeof value !== 'number') throw unreadable(what, row);
  return value;
}

/** A number whose default is left out of the row. */
export function numberOr(row: Row, name: string, missing: number): number {
  const value = row[name];
  return typeof value === 'number' ? value : missing;
}

export function jsonOf(row: Row, name: string, what: string): unknown {
  try {
    return JSON.parse(stringOf(row, name, what));
  } catch (cause) {
    throw unreadable(what, row, cause);
  }
}
