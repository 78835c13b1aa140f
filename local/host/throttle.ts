// The throttling of an HTTP API's routes: a bucket of tokens for each route, refilled at its rate up to its burst.
import type { RoutePlan } from '../template/plan.ts';

/** Whether a request may pass, by route; one that may not costs nothing. `now`: milliseconds, never going back. */
export function createThrottle(
  now: () => number,
): (route: Pick<RoutePlan, 'routeKey' | 'throttle'>) => boolean {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return ({ routeKey, throttle }) => {
    if (throttle === undefined) return true;
    const { rate, burst } = throttle;
    const at = now();
    const bucket = buckets.get(routeKey) ?? { tokens: burst, at };
    buckets.set(routeKey, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) * rate) / 1000);
    bucket.at = at;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
}
