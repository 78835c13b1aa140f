// How the small messages between functions are put into queue messages (shared/model/wake.ts says what they mean).
import { createHash } from 'node:crypto';
import { type JobKey, jobKeyOnly, jobPath } from '../shared/model/job-key.ts';
import type {
  DrainWake,
  MatcherWake,
  Probe,
  ReconcileWake,
  Timer,
  UpdateWake,
} from '../shared/model/wake.ts';
import type { OutgoingMessage } from './ports.ts';

/** SQS takes at most this delay and this length of a group name. */
const maxDelaySeconds = 900;
const maxGroupLength = 128;
/** Instances named in one wake-up of an update. */
const maxHints = 500;

/** One message group a pool: one matcher at a time (design D2). */
export function matcherWake(pool: string): OutgoingMessage {
  const wake: MatcherWake = { v: 1, pool };
  return { body: JSON.stringify(wake), groupId: pool };
}

/** One message group a job: one reconciler at a time. */
export function reconcileWake(job: JobKey): OutgoingMessage {
  const wake: ReconcileWake = { v: 1, key: jobKeyOnly(job) };
  return { body: JSON.stringify(wake), groupId: jobGroup('reconcile', wake.key) };
}

/** One message group a job: one step of its update at a time. `instances`: where to look, as far as one message goes. */
export function updateWake(job: JobKey, updateId: string, instances: readonly number[]): OutgoingMessage {
  const key = jobKeyOnly(job);
  const wake: UpdateWake = { v: 1, key, updateId, instances: instances.slice(0, maxHints) };
  return { body: JSON.stringify(wake), groupId: jobGroup('update', key) };
}

/** A job's reconcile does not wait for its update, nor the other way round. */
function jobGroup(kind: 'reconcile' | 'update', key: JobKey): string {
  const name = `${kind}:${jobPath(key)}`;
  return name.length <= maxGroupLength ? name : createHash('sha256').update(name).digest('hex');
}

/** Pause between passes over the agents that are being emptied, seconds. */
const drainPauseSecs = 5;

/**
 * Asks for a pass over the agents that are being emptied after a pause. Queues in order cannot delay single messages, so
 * it goes through the timers, and from there as `drainWake`.
 */
export function drainTimer(now: number): OutgoingMessage {
  const slot = Math.floor(now / (drainPauseSecs * 1000));
  const timer: Timer = { v: 1, kind: 'drain', slot };
  return { body: JSON.stringify(timer), delaySeconds: drainPauseSecs };
}

/**
 * All timers of one slot are one message, else each cause would start a chain of passes of its own. None gets lost by
 * that: the first of them is passed on a whole slot after it was sent, so after the last of its duplicates was sent.
 */
export function drainWake(slot: number): OutgoingMessage {
  const wake: DrainWake = { v: 1, drain: 'agents' };
  return { body: JSON.stringify(wake), groupId: 'agents', deduplicationId: `agents-${slot}` };
}

/** Delivered at `dueAt` or after 15 minutes, whichever is first; the receiver arms it again if it is early. */
export function timerMessage(timer: Timer, dueAt: number, now: number): OutgoingMessage {
  const seconds = Math.ceil((dueAt - now) / 1000);
  return { body: JSON.stringify(timer), delaySeconds: Math.min(maxDelaySeconds, Math.max(0, seconds)) };
}

/** Shows the next roll call that the queue of heartbeats is in time. */
export function probeMessage(calledAt: number): OutgoingMessage {
  const probe: Probe = { v: 1, probe: calledAt };
  return { body: JSON.stringify(probe) };
}
