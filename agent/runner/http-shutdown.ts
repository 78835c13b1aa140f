// The HTTP steps of the kill escalation: ask the task to quit before signals are sent (spec/executor.md section 8).
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { request } from '../health/checker.ts';

const requestTimeoutMs = 1000;

/**
 * POSTs the graceful and then the shutdown endpoint. After any answer (even 404) waits as configured for the task to
 * end; no connection skips the wait. Ends early once `waitUntilGone` says the task has ended.
 */
export async function askToShutDown(
  lifecycle: NonNullable<TaskConfig['httpLifecycle']>,
  ports: Readonly<Record<string, number>>,
  waitUntilGone: (withinMs: number) => Promise<boolean>,
): Promise<void> {
  const port = ports[lifecycle.port];
  if (port === undefined) return;
  const steps = [
    { path: lifecycle.gracefulShutdownEndpoint, waitSecs: lifecycle.gracefulShutdownWaitSecs },
    { path: lifecycle.shutdownEndpoint, waitSecs: lifecycle.shutdownWaitSecs },
  ];
  for (const { path, waitSecs } of steps) {
    const answer = await request('POST', port, path, requestTimeoutMs);
    if (await waitUntilGone(typeof answer === 'string' ? 0 : waitSecs * 1000)) return;
  }
}
