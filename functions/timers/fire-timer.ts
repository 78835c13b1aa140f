// What happens when a timer is due: the task is read anew, so a timer that is late, early or repeated does no harm. A
// drain's or an update's timer only passes the request on.
import { applyTransition } from '../../shared/domain/task/apply.ts';
import { nextKillRetryMs } from '../../shared/domain/task/flapping.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Timer } from '../../shared/model/wake.ts';
import type { Store } from '../../shared/store/port.ts';
import { drainWake, timerMessage, updateWake } from '../messages.ts';
import type { AgentCommandPort, MessagePort } from '../ports.ts';
import type { TransitionDeps } from '../transition-deps.ts';

export interface TimerDeps extends TransitionDeps {
  readonly store: Pick<Store, 'getTask' | 'transition' | 'getAgent'>;
  readonly messages: MessagePort;
  readonly agents: AgentCommandPort;
  readonly timersQueueUrl: string;
  readonly jobsQueueUrl: string;
}

/** Throws if the store or a queue does; the message then comes again. */
export async function fireTimer(timer: Timer, deps: TimerDeps): Promise<void> {
  switch (timer.kind) {
    case 'unthrottle':
      return unthrottle(timer, deps);
    case 'killRetry':
      return retryKill(timer, deps);
    case 'drain':
      return deps.messages.send(deps.jobsQueueUrl, [drainWake(timer.slot)]);
    case 'update':
      return deps.messages.send(deps.jobsQueueUrl, [updateWake(timer.key, timer.updateId, [])]);
    case 'agentQueue':
      return makeQueue(timer.agentId, deps);
  }
}

async function unthrottle(timer: Extract<Timer, { kind: 'unthrottle' }>, deps: TimerDeps): Promise<void> {
  const task = await deps.store.getTask(timer.taskId);
  if (task?.state !== 'THROTTLED') return;
  const now = deps.clock();
  const dueAt = task.deadlineAt ?? now;
  if (now < dueAt) {
    const again = timerMessage({ ...timer, dueAt }, dueAt, now);
    return deps.messages.send(deps.timersQueueUrl, [again]);
  }
  const { timeouts, flapping } = deps;
  const plan = applyTransition(task, 'PENDING', { now, expected: 'THROTTLED', timeouts, flapping }, deps);
  // A conflict means that somebody else moved the task on (a kill, another delivery): then there is nothing to do.
  if (!plan.next) return;
  const { kind } = await deps.store.transition({ task, next: plan.next });
  deps.log.info('penalty over', { taskId: task.taskId, outcome: kind });
}

/** A kill changes no row, so it may be sent from here: nothing can be lost between a write and its message. */
async function retryKill(timer: Extract<Timer, { kind: 'killRetry' }>, deps: TimerDeps): Promise<void> {
  const task = await deps.store.getTask(timer.taskId);
  if (task?.state !== 'KILLING' || task.agentId === undefined) return;
  await deps.agents.send(task.agentId, [{ v: 1, kind: 'kill', taskIds: [task.taskId] }]);
  deps.log.info('kill sent again', { taskId: task.taskId, agentId: task.agentId });
  const previousMs = nextKillRetryMs(timer.previousMs, deps.random);
  const now = deps.clock();
  await deps.messages.send(deps.timersQueueUrl, [
    timerMessage({ ...timer, previousMs }, now + previousMs, now),
  ]);
}

/** What the agent missed while it had no queue it fetches as soon as it finds one. */
async function makeQueue(agentId: string, { store, agents }: TimerDeps): Promise<void> {
  const entry = await store.getAgent(agentId);
  if (!entry) return;
  if ((await agents.ensureQueue(agentId, 'anew')) === 'later') {
    throw new BorealisError(
      'UNAVAILABLE',
      `SQS makes no queue for agent ${agentId} yet: the one before was deleted less than a minute ago; the timer comes again`,
    );
  }
  await agents.guardQueue(agentId, entry.agent.principal);
}
