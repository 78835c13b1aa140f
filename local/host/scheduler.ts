// Runs the schedules of the template. A run that is still going when the next one is due is not doubled.
import type { SchedulePlan } from '../template/plan.ts';
import type { Invoker } from './invoker.ts';
import type { Poller } from './queue-poller.ts';
import { parseSchedule } from './schedule-expression.ts';

/** setTimeout takes at most 2^31 - 1 ms; a longer wait is done in pieces. */
const maxTimerMs = 2_000_000_000;

/** Starts one schedule. `now` is the clock, epoch milliseconds. */
export function startSchedule(
  schedule: SchedulePlan,
  invoker: Pick<Invoker, 'invoke'>,
  now: () => number = Date.now,
): Poller {
  const nextDue = parseSchedule(schedule.expression);
  const startedAt = now();
  let stopped = false;
  let timer: NodeJS.Timeout;
  let running: Promise<unknown> | undefined;
  const run = async (): Promise<void> => {
    try {
      await invoker.invoke(schedule.functionArn, eventOf(schedule, now()));
    } catch {
      // The invoker has logged it; the next due time is the retry.
    }
    running = undefined;
  };
  const arm = (dueAt: number): void => {
    timer = setTimeout(
      () => {
        if (stopped) return;
        if (now() < dueAt) return arm(dueAt);
        running ??= run();
        arm(nextDue(now(), startedAt));
      },
      Math.min(maxTimerMs, Math.max(1, dueAt - now())),
    );
  };
  arm(nextDue(startedAt, startedAt));
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** What Scheduler sends when the schedule has no input of its own. */
function eventOf(schedule: SchedulePlan, at: number): unknown {
  if (schedule.input !== undefined) return JSON.parse(schedule.input);
  return {
    version: '0',
    source: 'aws.scheduler',
    'detail-type': 'Scheduled Event',
    time: new Date(at).toISOString(),
    resources: [schedule.name],
    detail: '{}',
  };
}
