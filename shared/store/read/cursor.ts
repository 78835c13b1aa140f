// Cursors of listings: opaque text for clients, checked when it comes back.
import { BorealisError } from '../../lib/errors.ts';

export function encodeCursor(position: readonly string[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** The `parts` strings of a cursor; INVALID_REQUEST if the text is not one of ours. */
export function decodeCursor(text: string, parts: number): string[] {
  try {
    const position: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    const valid =
      Array.isArray(position) &&
      position.length === parts &&
      position.every((part) => typeof part === 'string');
    if (valid) return position as string[];
  } catch {
    // Not ours either.
  }
  throw new BorealisError(
    'INVALID_REQUEST',
    'the page cursor is not one this listing gave; leave it out to start again',
  );
}
