// What `job kill` and `job killall` share: the request, the words, the wait.

import { formatInstances } from '../shared/model/instance-ranges.ts';
import type { InstanceRange, JobKey } from '../shared/model/job-key.ts';
import type { Session } from './session.ts';
import { waitForJob } from './wait/wait.ts';

export interface KillOptions {
  readonly key: JobKey;
  readonly shown: string;
  /** Absent = all. */
  readonly instances?: readonly InstanceRange[];
  readonly message?: string | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly json: boolean;
}

export async function killAndWait(session: Session, options: KillOptions): Promise<void> {
  const { key, shown, instances, message } = options;
  const accepted = await session.client.call('killJob', {
    params: key,
    body: { ...(instances && { instances: [...instances] }), ...(message !== undefined && { message }) },
    // A kill repeated is a kill: asking again after a broken connection changes nothing more.
    idempotencyKey: crypto.randomUUID(),
    signal: session.io.signal,
  });
  const which = instances ? `instances ${formatInstances(instances)} of ${shown}` : shown;
  session.out.say(accepted.message);
  if (options.wait) {
    await waitForJob(session, {
      key,
      shown,
      goal: 'GONE',
      timeoutMs: options.timeoutMs,
      ...(instances && { instances }),
    });
    session.out.say(`${which}: all have ended`);
  }
  if (options.json) session.out.json(accepted.job);
}
