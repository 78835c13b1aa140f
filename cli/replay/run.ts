// Replays a trace all at once: register every node, submit every task in file order, wait until each is placed or has a
// reason, audit, then let the placed tasks live and end to count what a life costs.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../shared/api/client.ts';
import type { AgentView, JobDetail, Why } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { listAllAgents, readJob } from '../client/read.ts';
import { type Audit, auditFleet } from './audit.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { liveAndEnd } from './lives.ts';
import {
  allocatedShares,
  countUnplaced,
  measurePlacements,
  type Placements,
  type Unplaced,
} from './report.ts';
import { type TraceJob, traceJobs } from './submissions.ts';
import type { TraceNode, TraceTask } from './trace.ts';

/** The running system a trace is replayed on. */
export interface ReplayTarget {
  readonly client: ApiClient;
  readonly cluster: string;
  readonly sqsEndpoint: string;
  /** Write units used since the start; undefined if nobody counts. */
  writeUnits(): Promise<number | undefined>;
}

export interface ReplayInput {
  readonly target: ReplayTarget;
  readonly nodes: readonly TraceNode[];
  readonly tasks: readonly TraceTask[];
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface ReplayOutcome {
  readonly placements: Placements;
  readonly unplaced: Unplaced;
  readonly allocated: ReturnType<typeof allocatedShares>;
  readonly audit: Audit;
  /** Units of all writes from the first submission to the last FINISHED, over the placed tasks. */
  readonly writeUnitsPerTask: number | undefined;
}

const settleTimeoutMs = 15 * 60_000;
/** A look at a job of 1,000 tasks costs the stack some 60 ms of CPU: seldom enough not to slow what is measured. */
const lookMs = 1_500;

export async function replayAtOnce(input: ReplayInput): Promise<ReplayOutcome> {
  const { target, nodes, say } = input;
  const launched = new Map<string, string>();
  const fleet = createFleet({
    ...target,
    nodes,
    events: {
      onLaunch: (agentId, taskId) => void launched.set(taskId, agentId),
      onKill: () => undefined,
    },
  });
  try {
    await registerAll(input, fleet);
    const unitsBefore = await target.writeUnits();
    const jobs = traceJobs(input.tasks);
    const submittedAt = await submitAll(input, jobs);
    say(
      `submitted ${input.tasks.length} tasks in ${jobs.length} jobs; waiting until each is placed or has a reason`,
    );
    const settled = await waitSettled(input, jobs);
    const details = await readAll(target.client, jobs, input.signal);
    const agents = await listAllAgents(target.client, { signal: input.signal });
    const peak = judgePeak(input, { agents, details, settled, submittedAt });
    say(`placed ${peak.placements.placed}; now the placed tasks start, run and finish`);
    await liveAndEnd({ client: target.client, fleet, jobs, launched, placed: peak.placements.placed, say });
    const unitsAfter = await target.writeUnits();
    const used = unitsBefore === undefined || unitsAfter === undefined ? undefined : unitsAfter - unitsBefore;
    return { ...peak, writeUnitsPerTask: used && used / Math.max(1, peak.placements.placed) };
  } finally {
    await fleet.stop();
  }
}

interface Peak {
  readonly agents: readonly AgentView[];
  readonly details: readonly JobDetail[];
  readonly settled: Settled;
  readonly submittedAt: readonly number[];
}

function judgePeak(
  { nodes }: ReplayInput,
  { agents, details, settled, submittedAt }: Peak,
): Omit<ReplayOutcome, 'writeUnitsPerTask'> {
  const tasks = details.flatMap((detail) => detail.tasks);
  const placed = tasks.filter(({ agentId }) => agentId !== null);
  const groups = details.map((detail, index) => {
    return { submittedAt: submittedAt[index] as number, tasks: detail.tasks };
  });
  return {
    placements: measurePlacements(groups, settled.lastUnfinishedAt),
    unplaced: countUnplaced(settled.whys),
    allocated: allocatedShares(nodes, placed),
    audit: auditFleet(agents, tasks),
  };
}

/** Registers the fleet and waits until the API shows every agent and every agent has its queue. */
export async function registerAll({ target, nodes, say, signal }: ReplayInput, fleet: Fleet): Promise<void> {
  const startedAt = performance.now();
  await fleet.register();
  const wanted = new Set(nodes.map(({ name }) => name));
  for (;;) {
    const agents = await listAllAgents(target.client, { signal });
    const strangers = agents.filter(({ agentId }) => !wanted.has(agentId));
    if (strangers.length > 0) {
      throw new BorealisError(
        'CONFLICT',
        `the stack has ${strangers.length} agents that are not of the trace (${strangers[0]?.agentId}); nothing was submitted. Use a stack of its own: leave BOREALIS_API unset.`,
      );
    }
    if (agents.length === wanted.size) break;
    if (performance.now() - startedAt > 5 * 60_000) {
      throw new BorealisError(
        'TIMEOUT',
        `only ${agents.length} of ${wanted.size} agents registered in 5 minutes.`,
      );
    }
    await sleep(500, undefined, { signal });
  }
  await fleet.findQueues();
  say(`registered ${wanted.size} agents in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

/** Submits the jobs one after another, so that their tasks wait in file order; the moment of each. */
async function submitAll({ target, signal }: ReplayInput, jobs: readonly TraceJob[]): Promise<number[]> {
  const submittedAt: number[] = [];
  for (const { submission } of jobs) {
    submittedAt.push(Date.now());
    await submit(target.client, submission, signal);
  }
  return submittedAt;
}

/** Submits one job; safe to repeat on a broken connection. */
export async function submit(
  client: ApiClient,
  submission: TraceJob['submission'],
  signal: AbortSignal,
): Promise<void> {
  const { role, environment, name } = submission;
  await client.call('createJob', {
    params: { role, environment, name },
    body: submission,
    idempotencyKey: crypto.randomUUID(),
    signal,
  });
}

/** What a wait for the end of placement found. */
export interface Settled {
  readonly whys: readonly Why[];
  /**
   * The last look, epoch ms, at which some task that has a place now had none; 0 if no look saw that. The true end of
   * the placement is at most one look later, whatever times the events carry.
   */
  readonly lastUnfinishedAt: number;
}

interface Look {
  readonly at: number;
  readonly job: TraceJob;
  /** Tasks of the job without a place. */
  readonly open: number;
}

/**
 * Waits until every task is placed or has a reason. Looks at one job at a time, first the one submitted first, so that
 * looking costs little of what is measured; then over all again until two rounds agree.
 */
export async function waitSettled(
  { target, signal }: Pick<ReplayInput, 'target' | 'signal'>,
  jobs: readonly TraceJob[],
): Promise<Settled> {
  const until = performance.now() + settleTimeoutMs;
  const looks: Look[] = [];
  let previous = Number.NaN;
  for (;;) {
    const whys: Why[] = [];
    const final = new Map<TraceJob, number>();
    for (const job of jobs) {
      const settled = await jobSettled(target.client, job, { signal, until, looks });
      whys.push(settled.why);
      final.set(job, settled.pending);
    }
    const pending = [...final.values()].reduce((sum, n) => sum + n, 0);
    if (pending === previous) {
      const unfinished = looks.filter(({ job, open }) => open > (final.get(job) ?? 0));
      return { whys, lastUnfinishedAt: Math.max(0, ...unfinished.map(({ at }) => at)) };
    }
    previous = pending;
    await sleep(1000, undefined, { signal });
  }
}

interface Waiting {
  readonly signal: AbortSignal;
  /** performance.now() at which to give up. */
  readonly until: number;
  readonly looks: Look[];
}

async function jobSettled(
  client: ApiClient,
  job: TraceJob,
  { signal, until, looks }: Waiting,
): Promise<{ why: Why; pending: number }> {
  const { role, environment, name } = job.submission;
  const params = { role, environment, name };
  for (;;) {
    const at = Date.now();
    const { job: view, counts } = await client.call('getJob', { params, query: { limit: 1 }, signal });
    const made = counts.pending + counts.active + counts.finished + counts.failed;
    looks.push({ at, job, open: counts.pending + Math.max(0, job.tasks.length - made) });
    if (view.reconciled && made >= job.tasks.length) {
      const why = await client.call('whyPending', { params, query: {}, signal });
      const { unexplained, waiting, neverFit } = countUnplaced([why]);
      if (unexplained === 0 && waiting + neverFit === counts.pending) return { why, pending: counts.pending };
    }
    if (performance.now() > until) {
      throw new BorealisError(
        'TIMEOUT',
        `job ${name} has ${counts.pending} tasks neither placed nor explained after ${settleTimeoutMs / 60_000} minutes.`,
      );
    }
    await sleep(lookMs, undefined, { signal });
  }
}

/** Every task of every job. */
export async function readAll(
  client: ApiClient,
  jobs: readonly TraceJob[],
  signal: AbortSignal,
): Promise<JobDetail[]> {
  const details: JobDetail[] = [];
  for (const { submission } of jobs) details.push(await readJob(client, submission, { signal }));
  return details;
}
