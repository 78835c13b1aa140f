// Launches that can never be sent, because the config of the task is gone: sent again and again they would hold up every
// change behind them in the stream. Such a task is LOST at once, with the reason; whether it is tried again is for the
// task machine to say, which waits longer each time (flapping). Submitting the job again writes the config again.
import { applyTransition } from '../../shared/domain/task/apply.ts';
import { isBorealisError } from '../../shared/lib/errors.ts';
import type { Task } from '../../shared/model/task.ts';
import type { Store } from '../../shared/store/port.ts';
import type { ConfigCache } from '../launch.ts';
import type { TransitionDeps } from '../transition-deps.ts';
import type { CommandItem } from './commands.ts';

export interface RefuseDeps extends TransitionDeps {
  readonly store: Pick<Store, 'transition'>;
  readonly configs: ConfigCache;
}

/** The items that can be sent; launches without a config are ended and left out. Throws if the store does. */
export async function sendable(items: readonly CommandItem[], deps: RefuseDeps): Promise<CommandItem[]> {
  const kept: CommandItem[] = [];
  for (const item of items) {
    if ('kill' in item || (await hasConfig(item.launch, deps))) kept.push(item);
    else await refuse(item.launch, deps);
  }
  return kept;
}

async function hasConfig(task: Task, { configs }: RefuseDeps): Promise<boolean> {
  try {
    await configs.get(task, task.configId);
    return true;
  } catch (error) {
    if (isBorealisError(error, 'NOT_FOUND')) return false;
    throw error;
  }
}

/** The task is as the stream said, an older state than the present maybe: then nothing is written. */
async function refuse(task: Task, deps: RefuseDeps): Promise<void> {
  const { timeouts, flapping } = deps;
  const message = `Its config ${task.configId} is gone: submit the job again.`;
  const input = { now: deps.clock(), message, expected: task.state, timeouts, flapping };
  const { next, successor } = applyTransition(task, 'LOST', input, deps);
  if (!next) return;
  const { kind } = await deps.store.transition({ task, next, ...(successor && { successor }) });
  deps.log.error('a task cannot be launched, for its config is gone; it is lost', {
    taskId: task.taskId,
    configId: task.configId,
    outcome: kind,
  });
}
