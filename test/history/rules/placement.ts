// Where tasks are at the same time: one live task per instance, of the newest generation; no agent beyond what it
// offered; no state that should pass beyond its deadline.
import type { TransientState } from '../../../shared/model/task-timeouts.ts';
import type { History, Violation } from '../history.ts';
import { endOf, placementOf, startOf, type Timeline } from '../timelines.ts';

type Timelines = ReadonlyMap<string, Timeline>;

/**
 * A task begins only when the generation before it has ended, and no two are of the same generation: but for one that
 * was removed before any agent had it, which leaves nothing that a later one could count on from.
 */
export function oneLiveGeneration({ limits }: History, timelines: Timelines): Violation[] {
  const rule = 'one live generation';
  const byInstance = Map.groupBy(timelines.values(), ({ job, instance }) => `${job}/${instance}`);
  return [...byInstance].flatMap(([about, tasks]) => {
    const sorted = tasks.toSorted((a, b) => a.generation - b.generation || startOf(a) - startOf(b));
    return sorted.slice(1).flatMap((task, index) => {
      const before = sorted[index] as Timeline;
      const wasRemoved = before.steps.at(-1)?.state === 'DELETED';
      if (before.generation === task.generation && !wasRemoved) {
        const message = `${before.taskId} and ${task.taskId} are of the same generation`;
        return [{ rule, about, message }];
      }
      if (startOf(task) >= endOf(before) - limits.clockMs) return [];
      const message = `${task.taskId} began while ${before.taskId} had not ended`;
      return [{ rule, about, message }];
    });
  });
}

type Amounts = Readonly<Record<'cpuMilli' | 'ramMb' | 'diskMb', number>>;
const amounts = ['cpuMilli', 'ramMb', 'diskMb'] as const;

interface Stay {
  readonly taskId: string;
  readonly job: string;
  readonly configId: string;
  readonly agentId: string;
  readonly from: number;
  readonly to: number;
  readonly resources: Amounts;
  readonly ports: readonly number[];
}

/**
 * At no time do the tasks on an agent need more than it offered, nor hold the same port. A task counts from `clockMs`
 * after its assignment: the matcher notes the time before it reads what is free.
 */
export function withinCapacity(history: History, timelines: Timelines): Violation[] {
  const stays = staysOf(history, timelines);
  return history.agents.flatMap((agent) => {
    const here = stays.filter(({ agentId }) => agentId === agent.agentId);
    for (const { from } of here) {
      const now = here.filter((stay) => stay.from <= from && from < stay.to);
      const over = amounts.find((name) => sum(now, (stay) => stay.resources[name]) > agent[name]);
      const ports = now.flatMap((stay) => stay.ports);
      const twice = ports.find((port, index) => ports.indexOf(port) !== index);
      if (over === undefined && twice === undefined) continue;
      const names = now.map(({ taskId }) => taskId).join(', ');
      const message =
        over === undefined
          ? `port ${twice} is given twice, among ${names}`
          : `${sum(now, (stay) => stay.resources[over])} ${over} of ${agent[over]} in use by ${names}`;
      return [{ rule: 'within capacity', about: agent.agentId, message }];
    }
    return [];
  });
}

function staysOf({ jobs, limits }: History, timelines: Timelines): Stay[] {
  return jobs
    .flatMap(({ tasks }) => tasks)
    .flatMap(({ taskId, configId, resources, grant }) => {
      const timeline = timelines.get(taskId);
      const placed = timeline && placementOf(timeline);
      if (!placed) return [];
      const { agentId, at } = placed;
      const ports = Object.values(grant?.ports ?? {});
      const stay = { taskId, job: timeline.job, configId, agentId, resources, ports };
      return [{ ...stay, from: at + limits.clockMs, to: endOf(timeline) }];
    })
    .filter(({ from, to }) => from < to);
}

/** A task is on a host its config allows, with no more tasks of its job there than that allows. */
export function constraintsKept(history: History, timelines: Timelines): Violation[] {
  const rule = 'constraints kept';
  const stays = staysOf(history, timelines);
  const asked = new Map(history.jobs.flatMap(({ constraints }) => Object.entries(constraints)));
  return stays.flatMap((stay): Violation[] => {
    const { taskId: about, agentId, job, from } = stay;
    const here = stays.filter(
      (other) => other.job === job && other.agentId === agentId && other.from <= from && from < other.to,
    );
    return (asked.get(stay.configId) ?? []).flatMap((constraint) => {
      if (constraint.attribute !== 'host') return [];
      if (constraint.kind === 'limit') {
        if (here.length <= constraint.limit) return [];
        const message = `is on ${agentId} with ${here.length - 1} others; ${constraint.limit} of ${job} may be there`;
        return [{ rule, about, message }];
      }
      if (constraint.values.includes(agentId) !== constraint.negated) return [];
      const message = `is on ${agentId}; allowed is ${constraint.negated ? 'none of ' : ''}${constraint.values.join(', ')}`;
      return [{ rule, about, message }];
    });
  });
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}

/**
 * No state that must pass lasts longer than its deadline, the time between two sweeps and the slack; unless the control
 * plane had trouble then, after which it gives reports their time to arrive.
 */
export function deadlinesKept(history: History, timelines: Timelines): Violation[] {
  const { limits, to: end } = history;
  return [...timelines.values()].flatMap(({ taskId, steps }) =>
    steps.flatMap(({ state, at }, index) => {
      const timeoutMs = limits.timeoutsMs[state as TransientState] as number | undefined;
      if (timeoutMs === undefined) return [];
      const dueAt = overAt(history, at + timeoutMs);
      const next = steps[index + 1]?.at ?? end;
      if (next <= dueAt) return [];
      const message = `was ${state} for ${next - at} ms; ${timeoutMs} ms are allowed, and ${dueAt - at - timeoutMs} ms to notice`;
      return [{ rule: 'deadlines kept', about: taskId, message }];
    }),
  );
}

/** When that whose time is up at `dueAt` has been noticed by a control plane that had no trouble for long enough. */
function overAt({ faults, limits }: History, dueAt: number): number {
  const noticedMs = limits.sweepEveryMs + limits.slackMs;
  const troubles = faults.filter(({ agentId }) => agentId === undefined).toSorted((a, b) => a.from - b.from);
  let due = dueAt;
  for (const { from, to } of troubles)
    if (from <= due + noticedMs) due = Math.max(due, to + limits.reportsArriveMs);
  return due + noticedMs;
}
