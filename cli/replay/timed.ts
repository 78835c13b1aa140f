// Replays a trace by its own clock, compressed: tasks are submitted at their creation time and finish after their life
// time. Tasks that become due within one tick share a job. Placed is what was placed at any time; the audit goes over
// the whole history, event by event.
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskView } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { isTerminal } from '../../shared/model/task.ts';
import { listAllAgents } from '../client/read.ts';
import { auditHistory } from './audit-history.ts';
import { createFleet, type Fleet } from './fleet.ts';
import type { WaitingSample } from './replay.ts';
import { allocatedShares, countUnplaced, measurePlacements } from './report.ts';
import { type ReplayInput, type ReplayOutcome, readAll, registerAll, submit, waitSettled } from './run.ts';
import { type TraceJob, tasksPerJob, traceJob } from './submissions.ts';
import type { TraceTask } from './trace.ts';

export interface TimedInput extends ReplayInput {
  readonly speedup: number;
}

/** Tasks due within so many real milliseconds are submitted together. */
const tickMs = 250;
const endTimeoutMs = 5 * 60_000;

export async function replayTimed(
  input: TimedInput,
): Promise<ReplayOutcome & { readonly waitingOverTime: readonly WaitingSample[] }> {
  const { target, nodes, say, signal } = input;
  const lives = new Map<string, TraceTask>();
  const ends = new EndTimers();
  let fleet: Fleet | undefined;
  const start = (agentId: string, taskId: string): void => {
    const at = Date.now();
    fleet?.report(agentId, [
      { taskId, state: 'STARTING', at },
      { taskId, state: 'RUNNING', at },
    ]);
    const lifeMs = lifeOf(lives.get(instanceName(taskId)), input.speedup);
    if (lifeMs === undefined) return;
    ends.add(lifeMs, () => fleet?.report(agentId, [{ taskId, state: 'FINISHED', at: Date.now() }]));
  };
  fleet = createFleet({ ...target, nodes, events: { onLaunch: start, onKill: () => undefined } });
  try {
    await registerAll(input, fleet);
    fleet.startPolling();
    const unitsBefore = await target.writeUnits();
    const { jobs, submittedAt } = await submitByTime(input, lives);
    say(`submitted ${input.tasks.length} tasks in ${jobs.length} jobs; waiting for the last ones to end`);
    await waitEnded(input, jobs, ends);
    const settled = await waitSettled(input, jobs);
    await fleet.flush();
    const unitsAfter = await target.writeUnits();
    const details = await readAll(target.client, jobs, signal);
    const tasks = details.flatMap((detail) => detail.tasks);
    const placements = measurePlacements(
      details.map((detail, index) => ({ submittedAt: submittedAt[index] as number, tasks: detail.tasks })),
    );
    const used = unitsBefore === undefined || unitsAfter === undefined ? undefined : unitsAfter - unitsBefore;
    const agents = await listAllAgents(target.client, { signal });
    return {
      placements,
      unplaced: countUnplaced(settled.whys),
      allocated: allocatedShares(nodes, busiestMoment(tasks)),
      audit: auditHistory(agents, tasks),
      writeUnitsPerTask: used && used / Math.max(1, placements.placed),
      waitingOverTime: waitingOverTime(tasks, submittedAt[0] ?? 0),
    };
  } finally {
    ends.cancel();
    await fleet.stop();
  }
}

/** Timers of tasks that will finish. */
class EndTimers {
  private readonly timers = new Set<NodeJS.Timeout>();

  add(afterMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, afterMs);
    this.timers.add(timer);
  }

  get waiting(): number {
    return this.timers.size;
  }

  cancel(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }
}

function instanceName(taskId: string): string {
  const [, , name, instance] = taskId.split('~');
  return `${name}/${instance}`;
}

function lifeOf(task: TraceTask | undefined, speedup: number): number | undefined {
  if (task?.deletedAtSecs === undefined) return undefined;
  return ((task.deletedAtSecs - task.createdAtSecs) * 1000) / speedup;
}

interface Submitted {
  readonly jobs: readonly TraceJob[];
  readonly submittedAt: readonly number[];
}

async function submitByTime(input: TimedInput, lives: Map<string, TraceTask>): Promise<Submitted> {
  const jobs: TraceJob[] = [];
  const submittedAt: number[] = [];
  const startedAt = performance.now();
  for (const { dueMs, tasks } of ticks(input.tasks, input.speedup)) {
    const waitMs = startedAt + dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: input.signal });
    const job = traceJob(`timed-${String(jobs.length).padStart(5, '0')}`, tasks);
    for (const [instance, task] of tasks.entries()) lives.set(`${job.submission.name}/${instance}`, task);
    jobs.push(job);
    submittedAt.push(Date.now());
    await submit(input.target.client, job.submission, input.signal);
  }
  return { jobs, submittedAt };
}

/** Tasks by the tick in which they are due, in time order; ms from the first creation, compressed. */
export function ticks(
  tasks: readonly TraceTask[],
  speedup: number,
): { readonly dueMs: number; readonly tasks: TraceTask[] }[] {
  const ordered = tasks.toSorted((a, b) => a.createdAtSecs - b.createdAtSecs);
  const first = ordered[0]?.createdAtSecs ?? 0;
  const groups: { dueMs: number; tasks: TraceTask[] }[] = [];
  for (const task of ordered) {
    const dueMs = Math.floor(((task.createdAtSecs - first) * 1000) / speedup / tickMs) * tickMs;
    const last = groups.at(-1);
    if (last && last.dueMs === dueMs && last.tasks.length < tasksPerJob) last.tasks.push(task);
    else groups.push({ dueMs, tasks: [task] });
  }
  return groups;
}

/** Waits until no task is on its way any more: all timers have fired and only tasks without an end still run. */
async function waitEnded(input: TimedInput, jobs: readonly TraceJob[], ends: EndTimers): Promise<void> {
  const until = performance.now() + endTimeoutMs + longestLifeMs(input);
  for (;;) {
    await sleep(1000, undefined, { signal: input.signal });
    if (ends.waiting === 0) {
      const endless = input.tasks.filter(({ deletedAtSecs }) => deletedAtSecs === undefined).length;
      const details = await readAll(input.target.client, jobs, input.signal);
      const onTheWay = details.flatMap(({ tasks }) => tasks).filter(isOnTheWay).length;
      if (onTheWay <= endless && ends.waiting === 0) return;
    }
    if (performance.now() > until) {
      throw new BorealisError(
        'TIMEOUT',
        'tasks of the trace did not all end in time; see the stack with --verbose.',
      );
    }
  }
}

function longestLifeMs({ tasks, speedup }: TimedInput): number {
  return tasks.reduce((longest, task) => Math.max(longest, lifeOf(task, speedup) ?? 0), 0);
}

function isOnTheWay({ state }: TaskView): boolean {
  return !isTerminal(state) && state !== 'PENDING';
}

interface Span {
  readonly task: TaskView;
  readonly from: number;
  readonly to: number;
}

/** When a task held its resources: from ASSIGNED to its end. */
function holdingOf(task: TaskView): Span | undefined {
  const assigned = task.events.find(({ state }) => state === 'ASSIGNED');
  if (!assigned) return undefined;
  const last = task.events.at(-1);
  const ended = last && isTerminal(last.state) ? Date.parse(last.at) : Number.POSITIVE_INFINITY;
  return { task, from: Date.parse(assigned.at), to: ended };
}

/** The tasks that held resources when most GPU share (then CPU) was given out. */
function busiestMoment(tasks: readonly TaskView[]): TaskView[] {
  const spans = tasks.flatMap((task) => holdingOf(task) ?? []);
  const changes = spans
    .flatMap(({ task, from, to }) => [
      { at: from, sign: 1, task },
      { at: to, sign: -1, task },
    ])
    .toSorted((a, b) => a.at - b.at || a.sign - b.sign);
  let used = 0;
  let best = { used: -1, at: 0 };
  for (const { at, sign, task } of changes) {
    const { gpus, gpuMilli, cpuMilli } = task.resources;
    used += sign * (gpus * (gpus === 1 && gpuMilli > 0 ? gpuMilli : 1000) * 1_000_000 + cpuMilli);
    if (used > best.used) best = { used, at };
  }
  return spans.filter(({ from, to }) => from <= best.at && best.at < to).map(({ task }) => task);
}

const samplesWanted = 30;

/** Submitted tasks without a place, at even moments from the first submission on. */
export function waitingOverTime(tasks: readonly TaskView[], startedAt: number): WaitingSample[] {
  const moments = tasks.map(({ createdAt, events }) => {
    const assigned = events.find(({ state }) => state === 'ASSIGNED');
    return { from: Date.parse(createdAt), to: assigned ? Date.parse(assigned.at) : Number.POSITIVE_INFINITY };
  });
  const lastAt = Math.max(
    startedAt,
    ...moments.flatMap(({ from, to }) => [from, Number.isFinite(to) ? to : from]),
  );
  const stepMs = Math.max(1000, (lastAt - startedAt) / samplesWanted);
  const samples: WaitingSample[] = [];
  for (let at = startedAt; at <= lastAt + stepMs; at += stepMs) {
    const waiting = moments.filter(({ from, to }) => from <= at && at < to).length;
    samples.push({ atSecs: Math.round((at - startedAt) / 100) / 10, waiting });
  }
  return samples;
}
