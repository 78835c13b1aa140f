import { describe, expect, it } from 'vitest';
import { createThrottle } from '../../../local/host/throttle.ts';

describe('the throttling of routes', () => {
  const route = { routeKey: 'POST /jobs', throttle: { rate: 10, burst: 20 } };
  const passed = (throttle: ReturnType<typeof createThrottle>, count: number, which = route) =>
    Array.from({ length: count }, () => throttle(which)).filter(Boolean).length;

  it('lets a burst pass and then the rate, and never saves up more than a burst', () => {
    let now = 0;
    const throttle = createThrottle(() => now);
    expect(passed(throttle, 50)).toBe(20);
    now += 500;
    expect(passed(throttle, 50)).toBe(5);
    now += 3_600_000;
    expect(passed(throttle, 50)).toBe(20);
  });

  it('counts each route by itself, and not those without a rate', () => {
    const throttle = createThrottle(() => 0);
    expect(passed(throttle, 30)).toBe(20);
    expect(passed(throttle, 30, { ...route, routeKey: 'GET /jobs' })).toBe(20);
    expect(Array.from({ length: 100 }, () => throttle({ routeKey: '$default' })).every(Boolean)).toBe(true);
  });
});
