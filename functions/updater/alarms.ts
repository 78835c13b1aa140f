// Looks at updates that are due at a certain time, as delayed messages. A message that is lost costs time only: the
// sweeper wakes each acting update once a minute.
import { type JobKey, jobKeyOnly } from '../../shared/model/job-key.ts';
import type { UpdateAlarm } from '../../shared/model/wake.ts';
import { timerMessage } from '../messages.ts';
import type { MessagePort } from '../ports.ts';

export interface UpdateAlarms {
  /** Has the update looked at then (epoch ms). Throws UNAVAILABLE if the queue does not take it. */
  set(key: JobKey, updateId: string, at: number): Promise<void>;
}

/** Times are rounded up to these: what is due within one step is one look. */
const stepMs = 1000;
const alarmsKept = 1000;

/** Alarms that remember, for this process, which look at an update is still to come: an earlier one sets the next. */
export function createUpdateAlarms(
  messages: MessagePort,
  timersQueueUrl: string,
  clock: () => number,
): UpdateAlarms {
  const pending = new Map<string, number>();
  return {
    async set(key, updateId, at) {
      const now = clock();
      const dueAt = Math.ceil(at / stepMs) * stepMs;
      const known = pending.get(updateId) ?? 0;
      if (known > now && known <= dueAt) return;
      const alarm: UpdateAlarm = { v: 1, kind: 'update', key: jobKeyOnly(key), updateId };
      const message = timerMessage(alarm, dueAt, now);
      await messages.send(timersQueueUrl, [message]);
      pending.delete(updateId);
      // What is further away than a message can be delayed is looked at too early, and set again.
      pending.set(updateId, now + (message.delaySeconds ?? 0) * 1000);
      const [oldest] = pending.keys();
      if (pending.size > alarmsKept && oldest !== undefined) pending.delete(oldest);
    },
  };
}
