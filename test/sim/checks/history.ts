// What must hold of history and of its end (docs/adr/0016-pruning.md), worked out from what was seen and not from the
// product's own rules: nothing goes that must stay, what a job may not keep goes, and a job of the same name that comes
// later begins anew.
import type { Job } from '../../../shared/model/job.ts';
import { type JobKey, jobPath } from '../../../shared/model/job-key.ts';
import { isActive, isTerminal, type Task } from '../../../shared/model/task.ts';
import { Violation } from './violation.ts';

export interface HistoryRules {
  /** Rows of what has ended are kept so long, ms. */
  readonly keptMs: number;
  /** Ended tasks of 250 instances of a job that are kept for as long. */
  readonly maxPerJob: number;
  /** Clocks of functions differ from the true time by up to this, ms. */
  readonly maxSkewMs: number;
}

/** For runs that end before anything may go. */
export const keptForever = { keptMs: Number.POSITIVE_INFINITY, maxPerJob: Number.POSITIVE_INFINITY } as const;

/** No task that ended less than so long ago is surplus, ms. */
const neverSurplusMs = 3600_000;
/** Ends of an instance after which it is looked at. */
const lookEvery = 20;
const instancesTogether = 250;
/** What is surplus may still be there for so long, ms: a look is a message away, and messages are sent again. */
const patienceMs = 150_000;

interface Life {
  readonly madeAt: number;
  /** As it was last seen. */
  task: Task;
  isThere: boolean;
}

export class HistoryChecks {
  checks = 0;
  /** Rows of tasks that went because there were too many, and because their time had come. */
  readonly removed = { surplus: 0, expired: 0 };
  readonly #rules: HistoryRules;
  /** Every task there ever was, by job and instance, in the order in which they were made. */
  readonly #lives = new Map<string, Map<number, Life[]>>();
  /** When the job of the name that is there now began, ms. */
  readonly #bornAt = new Map<string, number>();
  /** Task ids that a look should have removed, and since when. */
  readonly #surplus = new Map<string, number>();
  /** Rows of configs by job. */
  readonly #configs = new Map<string, Set<string>>();

  constructor(rules: HistoryRules) {
    this.#rules = rules;
  }

  taskChanged(old: Task | undefined, fresh: Task | undefined, isExpiry: boolean): void {
    const task = (fresh ?? old) as Task;
    const lives = this.#livesOf(task);
    if (!old) lives.push({ madeAt: Date.now(), task, isThere: true });
    const life = lives.findLast((one) => one.task.taskId === task.taskId);
    if (!life) throw new Violation(`${task.taskId} was never seen to be made`);
    if (old && !fresh) this.#removed(life, lives, isExpiry);
    else life.task = task;
    if (fresh && isTerminal(fresh.state) && old?.state !== fresh.state && fresh.generation % lookEvery === 0)
      this.#look(fresh);
  }

  /** The job of this name began now; what was of an earlier one is none of its business. */
  jobMade(job: Job): void {
    this.#bornAt.set(jobPath(job), Date.now());
  }

  jobRemoved(job: Job, isExpiry: boolean): void {
    this.checks++;
    const path = jobPath(job);
    if (!isExpiry) throw new Violation(`job ${path} was removed before its time`);
    if (job.updateId !== undefined) throw new Violation(`job ${path} was removed while it is updated`);
    if (job.reconciledVersion < job.specVersion)
      throw new Violation(`job ${path} was removed before it was carried out`);
    for (const { task, isThere } of this.#all(path)) {
      if (isThere && isActive(task.state))
        throw new Violation(`job ${path} was removed while ${task.taskId} is ${task.state}`);
      if (isThere && !this.#isOld(task))
        throw new Violation(`job ${path} was removed before ${task.taskId} may go, which is ${task.state}`);
    }
  }

  configChanged(pk: string, sk: string, isThere: boolean, jobs: ReadonlyMap<string, Job>): void {
    this.checks++;
    const path = pk.slice(configPrefix.length);
    const rows = this.#configs.get(path) ?? new Set();
    this.#configs.set(path, rows);
    if (isThere) rows.add(sk);
    else rows.delete(sk);
    if (!isThere && jobs.has(path))
      throw new Violation(`config ${sk} of job ${path} was removed, which is there`);
  }

  /** The tasks of the instance that were made for the job that is there now, also those whose history is gone. */
  madeFor(ref: JobKey & { readonly instance: number }): Task[] {
    const bornAt = this.#bornAt.get(jobPath(ref)) ?? 0;
    return this.#livesOf(ref).flatMap(({ madeAt, isThere, task }) =>
      madeAt >= bornAt && (isThere || isTerminal(task.state)) ? [task] : [],
    );
  }

  /** Has the job that is there now had a task of the instance, of this version or a later one? */
  wasMade(ref: JobKey & { readonly instance: number }, spec: number): boolean {
    const bornAt = this.#bornAt.get(jobPath(ref)) ?? 0;
    return this.#livesOf(ref).some(({ madeAt, task }) => madeAt >= bornAt && task.spec >= spec);
  }

  /** What is still there although nobody needs it. */
  leftovers(now: number, jobs: ReadonlyMap<string, Job>): string[] {
    const problems: string[] = [];
    for (const [path, rows] of this.#configs) {
      if (rows.size > 0 && !jobs.has(path))
        problems.push(`${rows.size} configs are there of job ${path}, which is gone`);
    }
    for (const lives of this.#lives.values()) {
      for (const { task, isThere } of [...lives.values()].flat()) {
        const since = this.#surplus.get(task.taskId);
        if (!isThere || since === undefined || since + patienceMs > now || this.#isOld(task)) continue;
        problems.push(`${task.taskId} ended as ${task.state} and is more history than a job may keep`);
      }
    }
    return problems;
  }

  #removed(life: Life, lives: readonly Life[], isExpiry: boolean): void {
    this.checks++;
    life.isThere = false;
    const { task } = life;
    const { taskId, state } = task;
    if (isExpiry) {
      if (!isTerminal(state)) throw new Violation(`${taskId} expired while it is ${state}`);
      if (!this.#isOld(task)) throw new Violation(`${taskId} expired before its time`);
      this.removed.expired++;
      return;
    }
    // A task that no agent had is killed by removing it.
    if (!isTerminal(state)) return;
    this.removed.surplus++;
    if (life === lives.at(-1)) throw new Violation(`${taskId} was removed, the last of its instance`);
    const { maxPerJob, maxSkewMs } = this.#rules;
    if (Date.now() - endOf(task) < neverSurplusMs - maxSkewMs)
      throw new Violation(`${taskId} was removed less than an hour after its end`);
    const later = this.#endedIn(task).filter((other) => other !== task && endOf(other) >= endOf(task));
    if (later.length < maxPerJob)
      throw new Violation(
        `${taskId} was removed though only ${later.length} ended later, ${maxPerJob} may stay`,
      );
  }

  /** An end of which there is one in twenty: what is surplus now must be gone soon. */
  #look({ instance, ...key }: Task): void {
    const { maxPerJob, maxSkewMs } = this.#rules;
    const last = new Set(
      [...(this.#lives.get(jobPath(key))?.values() ?? [])].map((lives) => lives.at(-1)?.task.taskId),
    );
    const ended = this.#endedIn({ ...key, instance });
    for (const task of ended) {
      const later = ended.filter((other) => endOf(other) > endOf(task)).length;
      const isYoung = Date.now() - endOf(task) < neverSurplusMs + maxSkewMs;
      if (later < maxPerJob || isYoung || last.has(task.taskId)) continue;
      if (!this.#surplus.has(task.taskId)) this.#surplus.set(task.taskId, Date.now());
    }
  }

  /** Every task that ever ended among the instances that are looked at together with this one. */
  #endedIn(ref: JobKey & { readonly instance: number }): Task[] {
    const together = (instance: number) => Math.floor(instance / instancesTogether);
    return this.#all(jobPath(ref))
      .map(({ task }) => task)
      .filter(({ state, instance }) => isTerminal(state) && together(instance) === together(ref.instance));
  }

  #isOld(task: Task): boolean {
    return endOf(task) + this.#rules.keptMs <= Date.now() + 1_000;
  }

  #all(path: string): Life[] {
    return [...(this.#lives.get(path)?.values() ?? [])].flat();
  }

  #livesOf(ref: JobKey & { readonly instance: number }): Life[] {
    const path = jobPath(ref);
    const instances = this.#lives.get(path) ?? new Map<number, Life[]>();
    this.#lives.set(path, instances);
    const lives = instances.get(ref.instance) ?? [];
    instances.set(ref.instance, lives);
    return lives;
  }
}

/** Keys of the rows of configs, followed by the job's path. */
export const configPrefix = 'CONFIG#';

function endOf({ events, createdAt }: Task): number {
  return events.at(-1)?.at ?? createdAt;
}
