// "Did you mean ...?": the known name closest to what was written.

/** Levenshtein distance, given up (returns `limit + 1`) once it must exceed `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost));
    }
    if (Math.min(...next) > limit) return limit + 1;
    row = next;
  }
  return row[b.length] ?? limit + 1;
}

const plain = (name: string) => name.replaceAll(/[_\-\s]/g, '').toLowerCase();

/** The name from `known` that `written` was most likely meant to be; case, `_` and `-` never count as differences. */
export function closestName(written: string, known: Iterable<string>): string | undefined {
  const target = plain(written.slice(0, 64));
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const candidate = plain(name);
    const limit = Math.min(3, Math.floor(Math.max(candidate.length, target.length) / 3));
    const distance = editDistance(target, candidate, limit);
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** `; did you mean X?` or nothing. */
export function didYouMean(written: string, known: Iterable<string>): string {
  const name = closestName(written, known);
  return name === undefined ? '' : `; did you mean ${name}?`;
}
