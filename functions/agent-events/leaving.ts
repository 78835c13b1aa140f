// Agents that report that their machine will go: their drain starts, or its deadline comes forward.
import { drainOfLeaving, type Leaving } from '../../shared/domain/drain/leaving.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Store } from '../../shared/store/port.ts';
import type { Log } from '../ports.ts';
import { changeAgentMode, tightenDrain } from '../request-drain.ts';

export interface LeavingDeps {
  readonly store: Pick<Store, 'getAgent' | 'setAgentMode'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Says so again as often as it likes; an agent that is not known (any more) has nothing to be emptied of. */
export async function noteLeaving(agentId: string, leaving: Leaving, deps: LeavingDeps): Promise<void> {
  const drain = drainOfLeaving(leaving, `agent ${agentId}`, deps.clock());
  const entry = await changeAgentMode(agentId, tightenDrain(drain), deps);
  const { reason, terminatesAt } = leaving;
  deps.log.info('an agent says that its machine will go', {
    agentId,
    known: entry !== undefined,
    reason,
    terminatesAt,
  });
}
