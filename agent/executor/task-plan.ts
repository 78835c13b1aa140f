// The plan of a task as pure functions over process progress: what may start now, and whether the plan is complete,
// unhealthy or deadlocked (spec/executor.md sections 3 and 4). No processes, no clock: the runner feeds in what
// happened and acts on the answers.
import type { ProcessConfig } from '../../shared/model/task-config.ts';

/** How one run of a process ended. `killed` and `lost` are not failures: the process may run again. */
export type RunOutcome = 'success' | 'failed' | 'killed' | 'lost';

/** Runs of one process (success + failure + lost) after which it has failed for good. */
export const totalRunLimit = 100;

/** Where one process of a plan stands. */
export interface ProcessProgress {
  readonly status: 'idle' | 'running' | 'finished' | 'failed';
  /** Runs that ended. */
  readonly runs: number;
  readonly failures: number;
  /** When the last run ended, ms; min_duration counts from here. */
  readonly lastEndedAt?: number;
}

/** The processes of one stage (ordinary or final) with their order; fixed for the life of the task. */
export interface TaskPlan {
  readonly processes: ReadonlyMap<string, ProcessConfig>;
  /** Process name -> names that must have finished before it may start. */
  readonly prerequisites: ReadonlyMap<string, ReadonlySet<string>>;
  readonly maxConcurrency: number;
  /** Processes failed for good that fail the task; 0 = never. */
  readonly maxFailures: number;
}

export type Progress = ReadonlyMap<string, ProcessProgress>;

const untouched: ProcessProgress = { status: 'idle', runs: 0, failures: 0 };

/** What of a task config decides the plan. */
export interface PlanConfig {
  readonly processes: readonly ProcessConfig[];
  readonly ordering: readonly (readonly string[])[];
  readonly maxConcurrency: number;
  readonly maxFailures: number;
}

/** The plan of one stage: ordinary processes run while ACTIVE, final ones while FINALIZING. */
export function planOf(config: PlanConfig, stage: 'ordinary' | 'final'): TaskPlan {
  const chosen = config.processes.filter((process) => process.final === (stage === 'final'));
  const processes = new Map(chosen.map((process) => [process.name, process]));
  const prerequisites = new Map<string, Set<string>>(chosen.map((process) => [process.name, new Set()]));
  for (const chain of config.ordering) {
    for (let i = 1; i < chain.length; i++) {
      const before = chain[i - 1] as string;
      if (processes.has(before)) prerequisites.get(chain[i] as string)?.add(before);
    }
  }
  return {
    processes,
    prerequisites,
    maxConcurrency: config.maxConcurrency,
    maxFailures: config.maxFailures,
  };
}

/** Progress of a plan of which nothing has run yet. */
export function noProgress(plan: TaskPlan): Map<string, ProcessProgress> {
  return new Map([...plan.processes.keys()].map((name) => [name, untouched]));
}

/** The progress of a process after one of its runs ended at `now`. */
export function afterRun(
  process: ProcessConfig,
  before: ProcessProgress,
  outcome: RunOutcome,
  now: number,
): ProcessProgress {
  const failures = before.failures + (outcome === 'failed' ? 1 : 0);
  const next = { runs: before.runs + 1, failures, lastEndedAt: now };
  if (outcome === 'success' && !process.daemon) return { ...next, status: 'finished' };
  const usedUp =
    (outcome === 'failed' && process.maxFailures !== 0 && failures >= process.maxFailures) ||
    next.runs >= totalRunLimit;
  if (!usedUp) return { ...next, status: 'idle' };
  // An ephemeral process is not needed, so its failure holds nothing up.
  return { ...next, status: process.ephemeral ? 'finished' : 'failed' };
}

/** Which processes to start now, in the order of the config, and when to ask again if nothing else happens. */
export function nextStarts(
  plan: TaskPlan,
  progress: Progress,
  now: number,
): { readonly start: readonly string[]; readonly wakeAt?: number } {
  let room =
    plan.maxConcurrency === 0 ? Number.POSITIVE_INFINITY : plan.maxConcurrency - count(progress, 'running');
  const start: string[] = [];
  let wakeAt: number | undefined;
  for (const [name, process] of plan.processes) {
    if (!isUnblocked(plan, progress, name)) continue;
    const dueAt = startableAt(process, progress.get(name) ?? untouched);
    if (dueAt > now) wakeAt = Math.min(wakeAt ?? dueAt, dueAt);
    else if (room > 0) {
      start.push(name);
      room--;
    }
  }
  return wakeAt === undefined ? { start } : { start, wakeAt };
}

/**
 * Whether the stage goes on. `complete`: every process that counts has finished or failed. `unhealthy`: as many failed
 * for good as the task tolerates. `deadlocked`: something is left but nothing runs or ever will.
 */
export function planVerdict(
  plan: TaskPlan,
  progress: Progress,
): 'active' | 'complete' | 'unhealthy' | 'deadlocked' {
  if (plan.maxFailures !== 0 && count(progress, 'failed') >= plan.maxFailures) return 'unhealthy';
  const open = [...plan.processes.values()].filter((process) => {
    const { status } = progress.get(process.name) ?? untouched;
    return !process.ephemeral && (status === 'idle' || status === 'running');
  });
  if (open.length === 0) return 'complete';
  if (count(progress, 'running') > 0) return 'active';
  const canStart = [...plan.processes.keys()].some((name) => isUnblocked(plan, progress, name));
  return canStart ? 'active' : 'deadlocked';
}

function isUnblocked(plan: TaskPlan, progress: Progress, name: string): boolean {
  if ((progress.get(name) ?? untouched).status !== 'idle') return false;
  for (const before of plan.prerequisites.get(name) ?? []) {
    if (progress.get(before)?.status !== 'finished') return false;
  }
  return true;
}

function startableAt(process: ProcessConfig, progress: ProcessProgress): number {
  if (progress.lastEndedAt === undefined) return 0;
  return progress.lastEndedAt + process.minDurationSecs * 1000;
}

function count(progress: Progress, status: ProcessProgress['status']): number {
  let total = 0;
  for (const each of progress.values()) if (each.status === status) total++;
  return total;
}
