// Maps with names of the caller's choice. zod bounds texts and lists but not the number of entries of a record.
import * as z from 'zod';

/** A record of at most `maxEntries`; the bound shows in the JSON schema too. */
export function boundedMap<K extends z.ZodString, V extends z.ZodType>(
  name: K,
  value: V,
  maxEntries: number,
) {
  return z
    .record(name, value)
    .refine((map) => Object.keys(map).length <= maxEntries, {
      error: `at most ${maxEntries} entries are taken`,
    })
    .meta({ maxProperties: maxEntries });
}
