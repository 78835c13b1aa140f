// Launches that were not taken up: their index entry comes up long before their deadline (reminderAt), and whoever of
// them is still ASSIGNED may have lost its message. Its agent is told to fetch its list, which an agent without tasks
// does too seldom by itself.
import type { Task } from '../../shared/model/task.ts';
import type { AgentCommandPort, Log } from '../ports.ts';

export interface ReminderDeps {
  readonly agents: Pick<AgentCommandPort, 'send'>;
  readonly log: Log;
}

/** Tells the agent of a task once in a sweep, however many tasks it has. False if its queue could not be reached. */
export type Remind = (task: Task) => Promise<boolean>;

export function createReminder({ agents, log }: ReminderDeps): Remind {
  const told = new Map<string, Promise<boolean>>();
  const tell = async (agentId: string): Promise<boolean> => {
    try {
      await agents.send(agentId, [{ v: 1, kind: 'reconcile' }]);
      log.warn('launches were not taken up; their agent is told to fetch its list', { agentId });
      return true;
    } catch (error) {
      log.warn('an agent could not be told of its launches; the next sweep tries again', { agentId, error });
      return false;
    }
  };
  return ({ state, agentId }) => {
    if (state !== 'ASSIGNED' || agentId === undefined) return Promise.resolve(true);
    const telling = told.get(agentId) ?? tell(agentId);
    told.set(agentId, telling);
    return telling;
  };
}
