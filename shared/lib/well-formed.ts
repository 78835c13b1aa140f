// Text that is no Unicode text: a JavaScript string, and so JSON with an escape, may hold half of a surrogate pair. No
// UTF-8 can say that, so a table or a queue refuses it, at a time when nobody is there to be told.

/** The path of the first text (or name of a field) in a JSON value that holds half a surrogate pair; undefined if none does. */
export function illFormedAt(value: unknown): readonly PropertyKey[] | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : [];
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, inner] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    if (typeof name === 'string' && !name.isWellFormed()) return [name.toWellFormed()];
    const found = illFormedAt(inner);
    if (found) return [name, ...found];
  }
  return undefined;
}

/** What to say of such a text, after its place. */
export const illFormedText = 'not Unicode text: it holds half of a surrogate pair';
