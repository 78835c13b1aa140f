// Which tasks of agents that are being emptied are ended now, and why the others wait. Pure: the drainer commits the
// plan, the API shows it.
//
//   past the agent's deadline        ended, whatever their job's availability
//   a service's task that is not up  ended: its job loses nothing by it
//   a service's task that runs       ended while its job's budget lasts (availability.ts)
//   batch work                       left to finish until the deadline: ending it would throw away what it has done
import type { Drain } from '../../model/agent.ts';
import { type JobKey, jobPath } from '../../model/job-key.ts';
import { isActive, type Task, type TaskState } from '../../model/task.ts';
import { type Availability, availabilityOf, isSettled } from './availability.ts';

/** One agent that is being emptied, and the tasks on it. */
export interface DrainingAgent {
  readonly agentId: string;
  readonly drain: Drain;
  readonly tasks: readonly Task[];
}

/** A job as a drain counts it. */
export interface CountedJob {
  readonly tasks: readonly Task[];
  /** Instances it should have. */
  readonly wanted: number;
}

/** Why a task is still there. */
type DrainHold =
  /** Its end has been asked for already. */
  | { readonly kind: 'ENDING' }
  /** Batch work that may finish until the deadline. */
  | { readonly kind: 'BATCH' }
  /** Its job has no budget left. */
  | ({ readonly kind: 'AVAILABILITY' } & Availability);

interface HeldTask {
  readonly task: Task;
  readonly agentId: string;
  readonly hold: DrainHold;
}

export interface DrainPlan {
  /** To become DRAINING. */
  readonly move: readonly { readonly task: Task; readonly agentId: string; readonly forced: boolean }[];
  readonly held: readonly HeldTask[];
}

/** States in which a drain still has to ask for the end; in the other on-agent states somebody has. */
const toBeEnded: readonly TaskState[] = ['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED'];

/** The jobs (by path) whose tasks must be known to plan: those of which a running instance could be taken. */
export function jobsToCount(agents: readonly DrainingAgent[], now: number): Map<string, JobKey> {
  const jobs = new Map<string, JobKey>();
  for (const { drain, tasks } of agents) {
    if (now >= drain.deadlineAt) continue;
    for (const task of tasks) if (task.service && task.state === 'RUNNING') jobs.set(jobPath(task), task);
  }
  return jobs;
}

/**
 * Plans one pass over all agents that are being emptied. `jobs`: every task of each job that `jobsToCount` names; a job
 * that is missing there is not touched before the deadline.
 */
export function planDrain(
  agents: readonly DrainingAgent[],
  jobs: ReadonlyMap<string, CountedJob>,
  now: number,
): DrainPlan {
  const move: { task: Task; agentId: string; forced: boolean }[] = [];
  const held: HeldTask[] = [];
  const candidates: Candidate[] = [];
  const taken = new Set<string>();
  for (const { agentId, drain, tasks } of agents) {
    for (const task of tasks) {
      const candidate = { task, agentId, drain };
      const verdict = withoutBudget(candidate, now);
      if (verdict === 'BUDGET') candidates.push(candidate);
      else if (typeof verdict === 'object') held.push({ task, agentId, hold: verdict });
      else move.push({ task, agentId, forced: verdict === 'FORCED' });
      if (typeof verdict === 'string' && verdict !== 'BUDGET') taken.add(task.taskId);
    }
  }
  for (const candidate of candidates.toSorted(mostUrgent)) {
    const { task, agentId, drain } = candidate;
    const job = jobs.get(jobPath(task));
    const active = job?.tasks.filter(({ state }) => isActive(state)).map(asTaken(taken));
    const availability = job && active && availabilityOf(active, drain, now, job.wanted);
    if (availability && isAllowed(task, availability, drain, now)) {
      taken.add(task.taskId);
      move.push({ task, agentId, forced: false });
    } else {
      const hold = { kind: 'AVAILABILITY', ...(availability ?? unknown) } as const;
      held.push({ task, agentId, hold });
    }
  }
  return { move, held };
}

interface Candidate {
  readonly task: Task;
  readonly agentId: string;
  readonly drain: Drain;
}

const unknown: Availability = { total: 0, up: 0, allowedDown: 0 };

/** The verdict where the job's budget does not matter. */
function withoutBudget({ task, drain }: Candidate, now: number): 'FORCED' | 'FREE' | 'BUDGET' | DrainHold {
  if (!toBeEnded.includes(task.state)) return { kind: 'ENDING' };
  if (now >= drain.deadlineAt) return 'FORCED';
  if (!task.service) return { kind: 'BATCH' };
  return task.state === 'RUNNING' ? 'BUDGET' : 'FREE';
}

/** A task that this plan has taken is down from now on. */
function asTaken(taken: ReadonlySet<string>) {
  return (task: Task): Pick<Task, 'state' | 'events'> =>
    taken.has(task.taskId) ? { state: 'DRAINING', events: [] } : task;
}

/** Down with this one among them must stay within the budget; one that is not up yet is down already. */
function isAllowed(task: Task, { total, up, allowedDown }: Availability, drain: Drain, now: number): boolean {
  const upWithout = isSettled(task, drain.settledSecs, now) ? up - 1 : up;
  return total - upWithout <= allowedDown;
}

function mostUrgent(a: Candidate, b: Candidate): number {
  return (
    a.drain.deadlineAt - b.drain.deadlineAt ||
    a.task.instance - b.task.instance ||
    (a.task.taskId < b.task.taskId ? -1 : 1)
  );
}
