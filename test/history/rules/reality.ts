// What ran on the machine against what the control plane said: each task started once, on its own agent, did its work if
// it is said to have finished, was gone soon after its end, and nobody's process was given up without a reason.
import { isOnAgent } from '../../../shared/model/task.ts';
import { awayMs } from '../away.ts';
import type { Fault, History, Run, Violation } from '../history.ts';
import { endOf, placementOf, type Timeline } from '../timelines.ts';

type Timelines = ReadonlyMap<string, Timeline>;

/**
 * A task is started at most once, by the agent it was assigned to, and not before it was. Once more after its machine has
 * lost its disk, if its first start had not been told by then: nobody knows of it any more.
 */
export function startedOnce({ runs, limits, faults }: History, timelines: Timelines): Violation[] {
  const rule = 'started once';
  const starts = Map.groupBy(
    runs.filter(({ what }) => what === 'start'),
    ({ taskId }) => taskId,
  );
  return [...starts].flatMap(([taskId, all]) => {
    const timeline = timelines.get(taskId);
    const placed = timeline && placementOf(timeline);
    const [first] = all as [Run];
    const problem = (message: string): Violation[] => [{ rule, about: taskId, message }];
    const known = timeline?.steps.find(({ state }) => state === 'STARTING')?.at ?? Number.POSITIVE_INFINITY;
    const forgotten = faults.filter(
      ({ kind, agentId, from }) =>
        kind === 'wipe' && agentId === placed?.agentId && first.at <= from && from <= known + limits.clockMs,
    );
    if (all.length > 1 + forgotten.length) return problem(`was started ${all.length} times`);
    if (!placed) return problem('was started and never assigned');
    if (placed.agentId !== first.agentId)
      return problem(`belongs to ${placed.agentId} and was started by ${first.agentId}`);
    if (first.at < placed.at - limits.clockMs) return problem('was started before it was assigned');
    return [];
  });
}

/** What is FINISHED has begun and come to its end, once; what is RUNNING has begun. */
export function workDone({ jobs, runs }: History): Violation[] {
  const rule = 'work done';
  const lines = Map.groupBy(runs, ({ taskId }) => taskId);
  return jobs
    .flatMap(({ tasks }) => tasks)
    .flatMap(({ taskId, state }) => {
      const wanted =
        state === 'FINISHED' ? (['start', 'end'] as const) : state === 'RUNNING' ? (['start'] as const) : [];
      const found = lines.get(taskId) ?? [];
      return wanted
        .filter((what) => !found.some((line) => line.what === what))
        .map((what) => ({
          rule,
          about: taskId,
          message: `is ${state}, but its process never wrote its ${what}`,
        }));
    });
}

/** On an agent that is well, the processes of a task are gone soon after its end. */
export function noLeftovers(history: History, timelines: Timelines): Violation[] {
  const { samples, limits } = history;
  const rule = 'no leftovers';
  const found = new Map<string, Violation>();
  for (const { from, taskIds } of samples) {
    for (const taskId of taskIds) {
      const timeline = timelines.get(taskId);
      if (!timeline) {
        found.set(taskId, { rule, about: taskId, message: 'runs, and nobody has told of it' });
        continue;
      }
      const end = endOf(timeline);
      const agentId = placementOf(timeline)?.agentId;
      const wellSince = Math.max(end, lastTrouble(history, agentId, from));
      if (from - wellSince <= limits.graceMs) continue;
      const message = `still runs on ${agentId} ${from - end} ms after its end, ${from - wellSince} ms of them without trouble`;
      found.set(taskId, { rule, about: taskId, message });
    }
  }
  return [...found.values()];
}

/** Until when before `at` something was wrong with the agent or with everything. */
function lastTrouble({ faults }: History, agentId: string | undefined, at: number): number {
  const before = faults.filter((fault) => fault.from <= at && (fault.agentId ?? agentId) === agentId);
  return Math.max(0, ...before.map(({ to }) => Math.min(to, at)));
}

/** In the end exactly the RUNNING tasks have processes. */
export function realityAsTold({ samples, jobs }: History): Violation[] {
  const rule = 'reality as told';
  const real = new Set(samples.at(-1)?.taskIds);
  const told = new Set(
    jobs.flatMap(({ tasks }) => tasks.filter(({ state }) => state === 'RUNNING').map(({ taskId }) => taskId)),
  );
  const phantom = [...told]
    .filter((id) => !real.has(id))
    .map((about) => ({ rule, about, message: 'is RUNNING, but nothing runs' }));
  const stray = [...real]
    .filter((id) => !told.has(id))
    .map((about) => ({ rule, about, message: 'runs, but is not RUNNING' }));
  return [...phantom, ...stray];
}

/** Faults of the agent itself that kept it silent for long enough to be called lost. */
function silences({ faults, limits }: History, agentId: string | null): readonly Fault[] {
  return faults.filter((fault) => {
    const concerns = fault.kind === 'stall' || (fault.agentId !== undefined && fault.agentId === agentId);
    // It was last heard some time before the fault, and again some time after it.
    return concerns && fault.to - fault.from + limits.clockMs >= limits.lostAfterMs / 2;
  });
}

/** Whether the machine was without power after the task had been given to it, which ended what ran there. */
function wasCutOff({ faults, limits }: History, { agentId, at }: { agentId: string; at: number }): boolean {
  return faults.some(
    (fault) =>
      (fault.kind === 'reboot' || fault.kind === 'wipe') &&
      fault.agentId === agentId &&
      at <= fault.to + limits.clockMs,
  );
}

/**
 * No task that ran is given up, and no agent is called lost, unless its agent was silent for long or its machine was
 * without power: whatever happened to the control plane meanwhile.
 */
export function noneGivenUp(history: History, timelines: Timelines): Violation[] {
  const rule = 'none given up';
  const { slackMs } = history.limits;
  // What is to be noticed is noticed soon, not counting the time for which there was nobody to notice it.
  const isReason = ({ from, to }: Fault, at: number): boolean =>
    from <= at && at - awayMs(history, to, at) <= to + slackMs;
  const hasReason = (agentId: string | null, at: number): boolean =>
    silences(history, agentId).some((fault) => isReason(fault, at));
  const tasks = [...timelines.values()].flatMap((timeline) => {
    const placed = placementOf(timeline);
    if (placed && wasCutOff(history, placed)) return [];
    return timeline.steps
      .filter(({ from, state, agentId, at }) => {
        const givenUp = from === 'RUNNING' && (state === 'LOST' || state === 'PARTITIONED');
        return givenUp && !hasReason(agentId, at);
      })
      .map(({ state, agentId }) => ({
        rule,
        about: timeline.taskId,
        message: `ran and became ${state}, though ${agentId} was not silent for long`,
      }));
  });
  const agents = history.heard.flatMap(({ event, heardAt }) => {
    if (event.detailType !== 'Agent Change' || event.detail.change !== 'lost') return [];
    if (hasReason(event.detail.agentId, heardAt)) return [];
    return [
      { rule, about: event.detail.agentId, message: 'was called lost, though it was not silent for long' },
    ];
  });
  return [...tasks, ...agents];
}

/** In the end an agent's books hold the tasks that are on it and no others, and what is free adds up. */
export function booksClosed({ agents, ledgers, jobs }: History): Violation[] {
  const rule = 'books closed';
  const live = jobs.flatMap(({ tasks }) => tasks).filter(({ state }) => isOnAgent(state));
  return agents.flatMap((offer): Violation[] => {
    const about = offer.agentId;
    const free = ledgers.find(({ agentId }) => agentId === about);
    if (!free) return [{ rule, about, message: 'is not there any more' }];
    const here = live.filter(({ agentId }) => agentId === about);
    const held = here.map(({ taskId }) => taskId).toSorted();
    if (held.join() !== free.taskIds.toSorted().join()) {
      return [{ rule, about, message: `holds ${free.taskIds.join(', ')}; on it are ${held.join(', ')}` }];
    }
    return (['cpuMilli', 'ramMb', 'diskMb'] as const).flatMap((name) => {
      const used = here.reduce((sum, { resources }) => sum + resources[name], 0);
      if (offer[name] - used === free[name]) return [];
      return [{ rule, about, message: `${free[name]} ${name} are free; should be ${offer[name]} - ${used}` }];
    });
  });
}
