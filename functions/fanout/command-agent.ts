// What the stream asks for at one agent's command queue: the queue itself, the commands in it, its end. The queue of an
// agent that is forgotten goes; should the agent come back within the minute in which SQS makes no queue of the same
// name, a timer makes it later. What was to be sent meanwhile the agent finds in its list, once it has a queue again.
import type { Timer } from '../../shared/model/wake.ts';
import type { Store } from '../../shared/store/port.ts';
import { timerMessage } from '../messages.ts';
import type { AgentCommandPort, MessagePort } from '../ports.ts';
import { agentCommands, type CommandItem } from './commands.ts';
import { type RefuseDeps, sendable } from './refuse-launches.ts';

export interface CommandDeps extends RefuseDeps {
  readonly store: RefuseDeps['store'] & Pick<Store, 'getAgent'>;
  readonly agents: AgentCommandPort;
  readonly messages: MessagePort;
  readonly queues: { readonly timers: string };
  readonly cluster: string;
}

/** `forgotten`: the agent's row is gone. `guardFor`: it is new, or has another owner. */
export type AgentItem =
  | CommandItem
  | { readonly guardFor: string | undefined }
  | { readonly forgotten: true };

/** SQS makes no queue of a name for so long after it deleted one, ms; and a bit. */
const queueRestMs = 65_000;

/** Everything one batch of the stream asks for at one agent, in order. Throws if a queue or the store does. */
export async function commandAgent(
  agentId: string,
  items: readonly AgentItem[],
  deps: CommandDeps,
): Promise<void> {
  const isForgotten = items.some((item) => 'forgotten' in item);
  if (isForgotten && !(await deps.store.getAgent(agentId))) return endQueue(agentId, deps);
  const guards = items.flatMap((item) => ('guardFor' in item ? [item] : []));
  const last = guards.at(-1);
  const isReady = (await deps.agents.ensureQueue(agentId, last && 'anew')) === 'ready';
  if (isReady && last) await deps.agents.guardQueue(agentId, last.guardFor);
  const wanted = items.filter((item): item is CommandItem => 'launch' in item || 'kill' in item);
  const commands = await agentCommands(await sendable(wanted, deps), deps);
  const outcome = isReady && commands.length > 0 ? await deps.agents.send(agentId, commands) : 'sent';
  if (isReady && outcome === 'sent') return;
  deps.log.warn('an agent has no queue of its own yet, or a new one; a timer sees to it', { agentId });
  await armQueueTimer(agentId, outcome === 'made' ? 0 : queueRestMs, deps);
}

/** The row decides: a record that comes again may be of a time before the agent came back. */
async function endQueue(agentId: string, deps: CommandDeps): Promise<void> {
  await deps.agents.dropQueue(agentId);
  deps.log.info('the queue of an agent that is forgotten is deleted', { agentId });
  // For a minute SQS still answers for the queue, so an agent that comes back might be thought to have one.
  await armQueueTimer(agentId, queueRestMs, deps);
}

async function armQueueTimer(
  agentId: string,
  delayMs: number,
  { messages, queues, clock }: CommandDeps,
): Promise<void> {
  const now = clock();
  const timer: Timer = { v: 1, kind: 'agentQueue', agentId };
  await messages.send(queues.timers, [timerMessage(timer, now + delayMs, now)]);
}
