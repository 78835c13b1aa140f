// Opaque page cursors: small JSON in base64url, checked by a schema when it comes back.
import type * as z from 'zod';
import { BorealisError } from '../../shared/lib/errors.ts';

export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** INVALID_REQUEST if the text is not a cursor of this listing. */
export function decodeCursor<S extends z.ZodType>(schema: S, text: string): z.infer<S> {
  try {
    return schema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  } catch (error) {
    throw new BorealisError(
      'INVALID_REQUEST',
      'the cursor is not one this listing gave out; start again without a cursor',
      { cause: error },
    );
  }
}
