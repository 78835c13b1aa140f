// What comes from outside is bounded everywhere, and the document of the bounds is current.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { limitsDocument, limitsOfIntakes } from '../../scripts/limits.ts';

describe('the limits of the intakes', () => {
  it('are there for every text, list and map', () => {
    const limits = limitsOfIntakes();
    expect(limits.length).toBeGreaterThan(400);
    const unlimited = limits.filter(({ kind, limit }) => limit === undefined && kind !== 'number');
    expect(unlimited).toEqual([]);
  });

  it('are what docs/reference/limits.md says (node scripts/write-limits.ts writes it)', () => {
    expect(readFileSync('docs/reference/limits.md', 'utf8')).toBe(limitsDocument());
  });
});
