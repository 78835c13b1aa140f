// Runs the processes of one stage of a task (ordinary ones while ACTIVE, final ones while FINALIZING) by its plan.
import type { ProcessConfig } from '../../shared/model/task-config.ts';
import type { ProcessProgress, Progress, TaskPlan } from '../executor/task-plan.ts';
import { afterRun, nextStarts, noProgress, planVerdict } from '../executor/task-plan.ts';
import type { TaskCensus } from '../runtime/census.ts';
import type { CheckpointWriter } from '../runtime/checkpoint.ts';
import { isDiskFull } from '../runtime/checkpoint.ts';
import type { ProcessRun, RunContext, RunEnd } from './process-run.ts';
import { startProcess } from './process-run.ts';
import type { Wake } from './wake.ts';

/** New work is considered at least this often, ms. */
const idleLookMs = 15_000;

export type StageVerdict = 'complete' | 'unhealthy' | 'deadlocked' | 'interrupted';

export interface StageDependencies {
  readonly context: RunContext;
  readonly checkpoint: CheckpointWriter;
  readonly census: TaskCensus;
  readonly wake: Wake;
  /** The run ended; called before its outcome counts. */
  readonly onRunEnd: (run: ProcessRun, end: RunEnd) => void;
  readonly onDiskFull: (error: Error) => void;
}

export class Stage {
  readonly #plan: TaskPlan;
  readonly #deps: StageDependencies;
  readonly #progress: Map<string, ProcessProgress>;
  /** Runs under way, and runs whose output may still come. */
  readonly runs = new Set<ProcessRun>();

  constructor(plan: TaskPlan, deps: StageDependencies) {
    this.#plan = plan;
    this.#deps = deps;
    this.#progress = noProgress(plan);
  }

  get isEmpty(): boolean {
    return this.#plan.processes.size === 0;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /**
   * Starts what is due and waits, until the plan has a verdict, `isInterrupted` holds or the time is up. `onStarted` is
   * called after every round of starts.
   */
  async run(
    isInterrupted: () => boolean,
    deadline: () => number,
    onStarted: () => void,
  ): Promise<StageVerdict> {
    for (;;) {
      if (isInterrupted() || Date.now() >= deadline()) return 'interrupted';
      const verdict = planVerdict(this.#plan, this.#progress);
      if (verdict !== 'active') return verdict;
      const { start, wakeAt } = nextStarts(this.#plan, this.#progress, Date.now());
      for (const name of start) await this.#start(this.#plan.processes.get(name) as ProcessConfig);
      onStarted();
      const until = Math.min(wakeAt ?? Number.POSITIVE_INFINITY, deadline(), Date.now() + idleLookMs);
      await this.#deps.wake.wait(until - Date.now());
    }
  }

  /** Waits until the output of all runs is stored, at most this long. */
  async drain(withinMs: number): Promise<void> {
    await Promise.all([...this.runs].map((run) => run.output.drain(withinMs)));
  }

  async #start(process: ProcessConfig): Promise<void> {
    const before = this.#progress.get(process.name) as ProcessProgress;
    this.#progress.set(process.name, { ...before, status: 'running' });
    let run: ProcessRun;
    try {
      run = await startProcess(process, before.runs, this.#deps.context);
    } catch (error) {
      this.#couldNotStart(process, before, error as Error);
      return;
    }
    this.runs.add(run);
    this.#deps.census.addSession(run.identity);
    this.#deps.checkpoint.append({
      t: 'process',
      at: Date.now(),
      name: process.name,
      run: run.run,
      state: 'RUNNING',
      process: run.identity,
    });
    void run.ended.then((end) => this.#ended(process, run, end));
  }

  #couldNotStart(process: ProcessConfig, before: ProcessProgress, error: Error): void {
    if (isDiskFull(error)) this.#deps.onDiskFull(error);
    this.#deps.checkpoint.append({
      t: 'process',
      at: Date.now(),
      name: process.name,
      run: before.runs,
      state: 'FAILED',
      message: `could not start: ${error.message}`,
    });
    this.#progress.set(process.name, afterRun(process, before, 'failed', Date.now()));
    this.#deps.wake.ring();
  }

  #ended(process: ProcessConfig, run: ProcessRun, end: RunEnd): void {
    this.#deps.onRunEnd(run, end);
    const states = { success: 'SUCCESS', failed: 'FAILED', killed: 'KILLED', lost: 'LOST' } as const;
    this.#deps.checkpoint.append({
      t: 'process',
      at: Date.now(),
      name: run.name,
      run: run.run,
      state: states[end.outcome],
      ...(end.exitCode === undefined ? {} : { exitCode: end.exitCode }),
      ...(end.signal === undefined ? {} : { signal: end.signal }),
    });
    const before = this.#progress.get(run.name) as ProcessProgress;
    this.#progress.set(run.name, afterRun(process, before, end.outcome, Date.now()));
    // A background child may hold the pipe open and write on; such a run stays listed until the task is drained.
    void run.output.closed.then(() => this.runs.delete(run));
    this.#deps.wake.ring();
  }
}
