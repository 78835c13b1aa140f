import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evenSample } from '../../../functions/matcher/measures.ts';

describe('the sample of latencies', () => {
  it('is all of them, in order, as long as they are few', () => {
    expect(evenSample([3, 1, 2], 100)).toEqual([1, 2, 3]);
    expect(evenSample([], 100)).toEqual([]);
  });

  it('is even: percentiles of 10,000 values stay where they are', () => {
    const values = Array.from({ length: 10_000 }, (_, index) => (index * 7919) % 10_000);
    const sample = evenSample(values, 100);
    for (const share of [0.5, 0.9, 0.99]) {
      expect(sample[Math.floor(share * 100)]).toBeGreaterThan(share * 10_000 - 150);
      expect(sample[Math.floor(share * 100)]).toBeLessThan(share * 10_000 + 150);
    }
  });

  it('never holds more than asked, and always the least and the greatest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 1, maxLength: 500 }),
        fc.integer({ min: 2, max: 100 }),
        (values, count) => {
          const sample = evenSample(values, count);
          expect(sample.length).toBe(Math.min(values.length, count));
          expect(sample[0]).toBe(Math.min(...values));
          expect(sample.at(-1)).toBe(Math.max(...values));
        },
      ),
    );
  });
});
