// What was accepted is done: versions of a job grow with the calls, the job is in the end what the accepted calls made
// of it, kills and restarts ended what ran, every instance runs or has an end that may stay.
import type { TaskView } from '../../../shared/api/views.ts';
import { containsInstance } from '../../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../../shared/model/job-key.ts';
import { isActive } from '../../../shared/model/task.ts';
import { isTerminalUpdate } from '../../../shared/model/update.ts';
import type { Asked, Call, FinalJob, FinalUpdate, History, Violation, Wanted } from '../history.ts';
import { endOf, placementOf, startOf, type Timeline } from '../timelines.ts';

type Timelines = ReadonlyMap<string, Timeline>;

/** Of two accepted calls, one answered before the other was sent, the later one has no older version. */
export function versionsGrow({ calls }: History): Violation[] {
  const byJob = Map.groupBy(calls, ({ job }) => job);
  return [...byJob].flatMap(([job, all]) => {
    const accepted = all.filter(({ specVersion }) => specVersion !== undefined);
    return accepted.flatMap((call) => {
      const earlier = accepted.find(
        (other) => other.endedAt < call.startedAt && (other.specVersion ?? 0) > (call.specVersion ?? 0),
      );
      if (!earlier) return [];
      const message = `${call.asked.kind} was answered version ${call.specVersion} after ${earlier.asked.kind} had made ${earlier.specVersion}`;
      return [{ rule: 'versions grow', about: job, message }];
    });
  });
}

/** Instance -> mark of its config; `either` for one of several. */
type Desired = ReadonlyMap<number, string>;

/** The mark of an instance that an update may have reached, or not. */
const either = '?';

/**
 * The job in the end is what the calls made of it; a call without an answer was carried out, or not. After an update that
 * was given up half way its instances have the old config or the new one.
 */
export function desiredAsAsked({ calls, jobs, updates }: History): Violation[] {
  const rule = 'desired as asked';
  const byJob = Map.groupBy(calls, ({ job }) => job);
  const shown = new Map(jobs.map((final) => [pathOf(final), final]));
  return [...byJob].flatMap(([job, all]) => {
    const possible = outcomes(all, updates);
    const final = shown.get(job);
    const canBeAbsent = possible.some((desired) => desired === undefined);
    if (!final) return canBeAbsent ? [] : [{ rule, about: job, message: 'was accepted, and is not there' }];
    const found = desiredOf(final);
    if (possible.some((desired) => isLike(found, desired))) return [];
    const expected = [...new Set(possible.map(written))].join(' or ');
    return [{ rule, about: job, message: `wants ${written(found)}; asked for was ${expected}` }];
  });
}

function outcomes(calls: readonly Call[], updates: readonly FinalUpdate[]): readonly (Desired | undefined)[] {
  let possible: readonly (Desired | undefined)[] = [undefined];
  for (const call of calls.toSorted((a, b) => a.startedAt - b.startedAt)) {
    if (call.outcome === 'refused') continue;
    const after = possible.map((desired) => carriedOut(desired, call, updates));
    const all = call.outcome === 'accepted' ? after : [...possible, ...after];
    possible = [...new Map(all.map((desired) => [written(desired), desired])).values()];
  }
  return possible;
}

function carriedOut(
  before: Desired | undefined,
  call: Call,
  updates: readonly FinalUpdate[],
): Desired | undefined {
  const { asked } = call;
  switch (asked.kind) {
    case 'create':
      return desiredFrom(asked.wanted);
    case 'add': {
      const highest = Math.max(-1, ...(before?.keys() ?? []));
      const mark = before?.get(highest) ?? '';
      const added = Array.from({ length: asked.count }, (_, i) => [highest + 1 + i, mark] as const);
      return new Map([...(before ?? []), ...added]);
    }
    case 'kill':
      return before && new Map([...before].filter(([instance]) => !concerns(asked, instance)));
    case 'restart':
      return before;
    case 'update': {
      const update = updates.find(({ updateId }) => updateId === call.updateId);
      if (update?.status === 'ROLLED_FORWARD') return desiredFrom(asked.wanted);
      // Of one whose answer was lost nobody knows how it ended.
      return update?.status === 'ROLLED_BACK' ? before : halfWay(before, desiredFrom(asked.wanted));
    }
  }
}

/** Some instances as before, some as wanted. An update here adds and removes none. */
function halfWay(before: Desired | undefined, wanted: Desired): Desired | undefined {
  return before && new Map([...before].map(([one, mark]) => [one, wanted.get(one) === mark ? mark : either]));
}

function isLike(found: Desired, expected: Desired | undefined): boolean {
  if (!expected || found.size !== expected.size) return false;
  return [...found].every(([instance, mark]) => {
    const wanted = expected.get(instance);
    return wanted === mark || wanted === either;
  });
}

function desiredFrom(wanted: readonly Wanted[]): Desired {
  return new Map(
    wanted.flatMap(({ instances, mark }) =>
      instances.flatMap((range) => numbers(range).map((instance) => [instance, mark] as const)),
    ),
  );
}

function numbers([low, high]: InstanceRange): number[] {
  return Array.from({ length: high - low + 1 }, (_, index) => low + index);
}

function concerns(asked: Extract<Asked, { kind: 'kill' | 'restart' }>, instance: number): boolean {
  return asked.instances === undefined || containsInstance(asked.instances, instance);
}

function desiredOf({ job, marks }: FinalJob): Desired {
  return desiredFrom(
    job.desired.map(({ instances, configId }) => ({
      instances: [instances],
      mark: marks[configId] ?? 'nothing known',
    })),
  );
}

function written(desired: Desired | undefined): string {
  if (!desired) return 'no job';
  const sorted = [...desired].toSorted(([a], [b]) => a - b);
  return `{${sorted.map(([instance, mark]) => `${instance}:${mark}`).join(' ')}}`;
}

function pathOf({ job: { role, environment, name } }: FinalJob): string {
  return `${role}/${environment}/${name}`;
}

/**
 * A task that was there when a kill of it was asked for has ended; one that an agent had when a restart was asked for,
 * too. A restart of what still waits changes nothing (task-lifecycle.md section 4).
 */
export function killsTookEffect({ calls }: History, timelines: Timelines): Violation[] {
  return calls.flatMap(({ job, asked, outcome, startedAt }) => {
    if (outcome !== 'accepted' || (asked.kind !== 'kill' && asked.kind !== 'restart')) return [];
    return [...timelines.values()]
      .filter((task) => task.job === job && concerns(asked, task.instance))
      .filter((task) => {
        const since = asked.kind === 'kill' ? startOf(task) : placementOf(task)?.at;
        return since !== undefined && since < startedAt && endOf(task) === Number.POSITIVE_INFINITY;
      })
      .map(({ taskId }) => ({
        rule: 'kills took effect',
        about: taskId,
        message: `has not ended, though its ${asked.kind} was accepted`,
      }));
  });
}

/** Every instance asked for runs, or has ended as it may; no other does; updates have ended. */
export function everythingSettled({ jobs, updates, limits, to }: History): Violation[] {
  const rule = 'everything settled';
  const unfinished = updates
    .filter(({ status }) => !isTerminalUpdate(status))
    .map(({ job, updateId, status }) => ({ rule, about: job, message: `update ${updateId} is ${status}` }));
  return [
    ...unfinished,
    ...jobs.flatMap((final) =>
      jobProblems(final, to - limits.sweepEveryMs - limits.slackMs).map((message) => ({
        rule,
        about: pathOf(final),
        message,
      })),
    ),
  ];
}

/** `overdue`: a deadline before this time should have been seen to. */
function jobProblems(final: FinalJob, overdue: number): string[] {
  const { job, tasks, marks } = final;
  const desired = desiredOf(final);
  const problems = job.reconciled ? [] : [`version ${job.specVersion} is not carried out`];
  for (const { taskId, instance, state } of tasks) {
    if (isActive(state) && !desired.has(instance)) problems.push(`${taskId} is ${state} and not wanted`);
  }
  for (const [instance, mark] of desired) {
    const newest = newestOf(tasks.filter((task) => task.instance === instance));
    if (!newest) problems.push(`instance ${instance} was never made, or its task is lost`);
    else if (isActive(newest.state))
      problems.push(...activeProblems(newest, marks[newest.configId], mark, overdue));
    else if (!mayStayEnded(newest, final)) {
      problems.push(`${newest.taskId} ended as ${newest.state} and has no successor`);
    }
  }
  return problems;
}

function activeProblems(
  { taskId, state, deadlineAt }: TaskView,
  runs: string | undefined,
  mark: string,
  overdue: number,
): string[] {
  // Held back for flapping, as long as that takes, is as settled as it can be.
  const isHeldBack = state === 'THROTTLED' && Date.parse(deadlineAt ?? '') > overdue;
  return [
    ...(state === 'RUNNING' || isHeldBack ? [] : [`${taskId} is still ${state}`]),
    ...(runs === mark ? [] : [`${taskId} runs ${runs}, not ${mark}`]),
  ];
}

function newestOf(tasks: readonly TaskView[]): TaskView | undefined {
  return tasks.toSorted((a, b) => b.generation - a.generation)[0];
}

function mayStayEnded({ state, failureCount, events }: TaskView, final: FinalJob): boolean {
  if (events.some((event) => event.state === 'KILLING')) return true;
  if (final.job.service) return false;
  if (state === 'FINISHED') return true;
  return state === 'FAILED' && final.maxTaskFailures !== -1 && failureCount >= final.maxTaskFailures;
}

/** Batch work that has ended by itself was announced, with the outcome it has. */
export function endsAnnounced({ jobs, heard }: History): Violation[] {
  const ended = heard.flatMap(({ event }) => (event.detailType === 'Job Ended' ? [event.detail] : []));
  return jobs.flatMap((final) => {
    const { job, tasks } = final;
    if (job.service || job.desired.length === 0 || tasks.some(({ state }) => isActive(state))) return [];
    const told = ended.filter(
      ({ role, environment, name }) => `${role}/${environment}/${name}` === pathOf(final),
    );
    const byInstance = [...Map.groupBy(tasks, ({ instance }) => instance).values()];
    const succeeded = byInstance.every((all) => newestOf(all)?.state === 'FINISHED');
    if (told.some(({ outcome }) => (outcome === 'succeeded') === succeeded)) return [];
    const heardOf = told.map(({ outcome }) => outcome).join(', ') || 'nothing';
    const message = `has ended ${succeeded ? 'well' : 'badly'}, but heard was ${heardOf}`;
    return [{ rule: 'ends announced', about: pathOf(final), message }];
  });
}
