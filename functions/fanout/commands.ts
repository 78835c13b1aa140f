// Puts launches and kills of one agent into as few messages as possible, in order, none too large for its queue.
import type { AgentCommand, TaskLaunch } from '../../shared/model/protocol.ts';
import type { Task } from '../../shared/model/task.ts';
import { type ConfigCache, taskLaunch } from '../launch.ts';

/** Kept below the 256 KiB that every implementation of SQS takes. */
const maxCommandBytes = 200_000;
/** Task ids can be long; this many always fit. */
const maxKillsPerMessage = 100;

export type CommandItem = { readonly launch: Task } | { readonly kill: string };

/**
 * Commands for one agent in the order of `items`. Instead of a launch too large for any message the agent is told to
 * fetch the list it reconciles against (design D9).
 */
export async function agentCommands(
  items: readonly CommandItem[],
  { configs, cluster }: { readonly configs: ConfigCache; readonly cluster: string },
): Promise<AgentCommand[]> {
  const packer = new CommandPacker();
  for (const item of items) {
    if ('kill' in item) {
      packer.kill(item.kill);
    } else {
      const config = await configs.get(item.launch, item.launch.configId);
      packer.launch(taskLaunch(item.launch, config, cluster));
    }
  }
  return packer.commands;
}

class CommandPacker {
  readonly commands: AgentCommand[] = [];
  #bytes = 0;

  kill(taskId: string): void {
    const last = this.commands.at(-1);
    if (last?.kind === 'kill' && last.taskIds.length < maxKillsPerMessage) last.taskIds.push(taskId);
    else this.commands.push({ v: 1, kind: 'kill', taskIds: [taskId] });
  }

  launch(task: TaskLaunch): void {
    const bytes = Buffer.byteLength(JSON.stringify(task));
    if (bytes > maxCommandBytes) {
      this.commands.push({ v: 1, kind: 'reconcile' });
      return;
    }
    const last = this.commands.at(-1);
    if (last?.kind === 'launch' && this.#bytes + bytes <= maxCommandBytes) {
      last.tasks.push(task);
      this.#bytes += bytes;
    } else {
      this.commands.push({ v: 1, kind: 'launch', tasks: [task] });
      this.#bytes = bytes;
    }
  }
}
