// Empties the agent of a machine that will go. A termination by the Auto Scaling group is held up until the agent is
// empty or the longest time has passed: this looks every few seconds, tells the group that it is still at work, and at
// last lets it go on. Each step reads what is, so a repeated message or a lost one in between does no harm.

import { drainOfLeaving } from '../../shared/domain/drain/leaving.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { agentIdSchema } from '../../shared/model/agent.ts';
import type { AgentWithLedger, Store } from '../../shared/store/port.ts';
import type { Log, MessagePort } from '../ports.ts';
import { changeAgentMode, tightenDrain } from '../request-drain.ts';
import { type Meaning, meaningOf, type Notice, type Termination } from './notices.ts';

/** The Auto Scaling groups. Both answer false if the group no longer waits for this termination. */
export interface TerminationPort {
  /** The group waits another heartbeat interval from now. */
  holdOn(termination: Termination): Promise<boolean>;
  /** The group terminates the machine. */
  goOn(termination: Termination): Promise<boolean>;
}

export interface LifecycleDeps {
  readonly store: Pick<Store, 'getAgent' | 'setAgentMode'>;
  readonly groups: TerminationPort;
  readonly messages: MessagePort;
  readonly queueUrl: string;
  /** How long a termination may be held up, ms. */
  readonly maxDrainMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two looks; far below the heartbeat interval of the hook. */
const lookSecs = 15;

/** Throws if the store, the queue or the group can't be reached; the message then comes again. */
export async function followNotice(notice: Notice, deps: LifecycleDeps): Promise<void> {
  const meaning = meaningOf(notice, deps.maxDrainMs);
  if (meaning.kind === 'leaving') {
    const entry = await startDrain(meaning, deps);
    // Warnings of every instance of the account arrive here.
    if (entry) deps.log.info('machine will go', { agentId: meaning.instanceId, reason: meaning.reason });
    return;
  }
  await followTermination(meaning.termination, deps);
}

async function followTermination(termination: Termination, deps: LifecycleDeps): Promise<void> {
  const { instanceId, until } = termination;
  const reason = 'terminated by its Auto Scaling group';
  const entry = await startDrain({ kind: 'leaving', instanceId, reason, terminatesAt: until }, deps);
  const why =
    entry === undefined
      ? 'it never registered as an agent'
      : entry.agent.mode === 'DRAINED'
        ? 'it is empty'
        : deps.clock() >= until
          ? 'the longest time for it has passed'
          : undefined;
  const fields = { agentId: instanceId, group: termination.group };
  if (why !== undefined) {
    const waited = await deps.groups.goOn(termination);
    deps.log.info('termination goes on', { ...fields, why, waited });
    return;
  }
  if (!(await deps.groups.holdOn(termination))) {
    deps.log.warn('the group no longer waits for this termination', fields);
    return;
  }
  const secs = Math.min(lookSecs, Math.max(0, Math.ceil((until - deps.clock()) / 1000)));
  await deps.messages.send(deps.queueUrl, [{ body: JSON.stringify(termination), delaySeconds: secs }]);
}

/** The agent with its drain under way; undefined if no agent has this id. */
async function startDrain(
  { instanceId, reason, terminatesAt }: Extract<Meaning, { kind: 'leaving' }>,
  deps: LifecycleDeps,
): Promise<AgentWithLedger | undefined> {
  if (!agentIdSchema.safeParse(instanceId).success) return undefined;
  const drain = drainOfLeaving({ reason, terminatesAt }, 'EC2', deps.clock());
  return changeAgentMode(instanceId, tightenDrain(drain), deps);
}
