// How long the workers may run, in one place because two stacks must agree: a queue hides a message for a little longer
// than its worker may work on it.
import { Duration } from 'aws-cdk-lib';

/** Longest run of one invocation. */
export const workTimeout = {
  matcher: Duration.seconds(120),
  jobs: Duration.seconds(120),
  timers: Duration.seconds(30),
  agentEvents: Duration.seconds(30),
  agentLifecycle: Duration.seconds(30),
  fanout: Duration.seconds(60),
  rollCall: Duration.seconds(55),
  commands: Duration.seconds(30),
} as const;

/** Deliveries of a command before it is refused; the function must know, for it says why. */
export const commandTries = 5;

/**
 * How long a message stays hidden from others. AWS advises six times the timeout to sit out throttling; here a hidden
 * wake-up blocks its whole pool, so it is just enough, and the receive count of the queue leaves room for throttling.
 */
export function visibilityFor(timeout: Duration): Duration {
  return Duration.seconds(timeout.toSeconds() + 30);
}
