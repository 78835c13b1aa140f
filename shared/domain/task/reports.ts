// What an agent's report asks of the machine (spec/task-lifecycle.md section 6).
import type { reportedStates, TaskStatus } from '../../model/protocol.ts';
import type { TaskState } from '../../model/task.ts';

const attemptedStates: Readonly<Record<(typeof reportedStates)[number], TaskState>> = {
  STARTING: 'STARTING',
  RUNNING: 'RUNNING',
  FINISHED: 'FINISHED',
  FAILED: 'FAILED',
  KILLED: 'KILLED',
  LOST: 'LOST',
};

/** The state to attempt and the message of its event; a blank message is no message. */
export function attemptedState(status: TaskStatus): { readonly to: TaskState; readonly message?: string } {
  const to = attemptedStates[status.state];
  const message = status.message?.trim();
  return message ? { to, message } : { to };
}
