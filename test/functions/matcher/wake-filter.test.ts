// A wake-up is skipped only when what it asks for has certainly been seen.
import { describe, expect, it } from 'vitest';
import { createWakeFilter } from '../../../functions/matcher/wake-filter.ts';

describe('the wake filter', () => {
  it.each([
    ['sent well before the pool was read', 8_499, true],
    ['sent less than the margin before', 8_500, false],
    ['sent at the same moment', 10_000, false],
    ['sent after', 10_001, false],
    ['with no send time', undefined, false],
  ])('a wake-up %s', (_what, sentAt, answered) => {
    const filter = createWakeFilter();
    filter.drained('default', 10_000);
    expect(filter.isAnswered('default', sentAt)).toBe(answered);
  });

  it('answers nothing before the first drain, or for another pool', () => {
    const filter = createWakeFilter();
    expect(filter.isAnswered('default', 0)).toBe(false);
    filter.drained('gpu', 10_000);
    expect(filter.isAnswered('default', 0)).toBe(false);
  });

  it('keeps the latest read although drains may end in another order', () => {
    const filter = createWakeFilter();
    filter.drained('default', 20_000);
    filter.drained('default', 10_000);
    expect(filter.isAnswered('default', 15_000)).toBe(true);
  });
});
