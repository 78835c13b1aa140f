// Supervises one task from its sandbox to its end: ACTIVE -> CLEANING -> FINALIZING -> end (spec/executor.md
// section 3). Everything that can end it early (a kill, bad health, a limit, a full disk) trips it once; the first
// trip decides the end state and message.
import type { EndState } from '../executor/exit-status.ts';
import { diskMessage, endMessages, memoryMessage } from '../executor/exit-status.ts';
import { planOf } from '../executor/task-plan.ts';
import { probeOf } from '../health/checker.ts';
import { watchHealth } from '../health/health-loop.ts';
import { killAll, TaskCensus } from '../runtime/census.ts';
import type { CheckpointRecord } from '../runtime/checkpoint.ts';
import { CheckpointWriter, isDiskFull } from '../runtime/checkpoint.ts';
import type { TaskPaths } from '../runtime/layout.ts';
import type { ProcessEntry } from '../runtime/procfs.ts';
import type { KillRequest, RunnerSpec } from '../runtime/spec.ts';
import { ownCgroup, TaskCgroup } from './cgroup.ts';
import { taskEnvironment, withProfile } from './environment.ts';
import { askToShutDown } from './http-shutdown.ts';
import { watchKillRequest } from './kill-watch.ts';
import type { ProcessRun, RunContext, RunEnd } from './process-run.ts';
import { log } from './runner-log.ts';
import { createSandbox, userOf } from './sandbox.ts';
import { Stage } from './stage.ts';
import { directoryBytes, measureEvery, memoryBytes } from './usage.ts';
import { Wake } from './wake.ts';

const mib = 1024 * 1024;
/** How long after SIGKILL processes may take to be gone, and output to be stored, ms. */
const lastKillMs = 5000;
const drainMs = 1000;
/** How long an end is kept trying to be recorded on a full disk, ms. */
const recordEndMs = 600_000;

/** Why a task is ended before its plan is. */
interface Trip {
  readonly state: EndState;
  readonly message: string;
  /** HTTP steps of the escalation first. */
  readonly http: boolean;
  /** SIGKILL instead of SIGTERM: the task must not get to use more. */
  readonly killFirst?: boolean;
  readonly budgetMs: number;
}

export class TaskRunner {
  readonly #spec: RunnerSpec;
  readonly #paths: TaskPaths;
  #census: TaskCensus;
  readonly #checkpoint: CheckpointWriter;
  readonly #wake = new Wake();
  readonly #stops: (() => void)[] = [];
  #cgroup: TaskCgroup | undefined;
  #trip: Trip | undefined;
  /** When the present clean-up must be over, epoch ms. */
  #deadline = Number.POSITIVE_INFINITY;
  #isWatching = false;
  #memoryLooks = 0;
  #isRunningReported = false;

  constructor(spec: RunnerSpec, paths: TaskPaths) {
    this.#spec = spec;
    this.#paths = paths;
    this.#census = new TaskCensus(spec.launch.taskId);
    this.#checkpoint = new CheckpointWriter(paths.checkpoint, paths.ballast, (error) =>
      this.#onDiskFull(error),
    );
  }

  /** Ends the task as if told to by kill.json. */
  kill(request: KillRequest): void {
    const { killBudgetMs } = this.#spec.settings;
    if (this.#trip === undefined) {
      this.#tripWith({
        state: 'KILLED',
        message: request.message,
        http: request.http ?? true,
        budgetMs: request.budgetMs ?? killBudgetMs,
      });
    }
    if (request.budgetMs !== undefined) {
      this.#deadline = Math.min(this.#deadline, Date.now() + request.budgetMs);
    }
    this.#wake.ring();
  }

  /** SIGKILLs every process of the task at once; for a runner that can't go on. */
  async killEverything(): Promise<void> {
    await killAll(this.#census, lastKillMs);
  }

  /** Runs the task to its end; resolves once the end is recorded and nothing of the task is left. */
  async run(): Promise<void> {
    let context: RunContext;
    try {
      context = this.#prepare();
    } catch (error) {
      await this.#end('FAILED', `Failed to initialize sandbox: ${(error as Error).message}`);
      return;
    }
    this.#stops.push(watchKillRequest(this.#paths, (request) => this.kill(request)));
    const { config } = this.#spec.launch;
    const ordinary = new Stage(planOf(config, 'ordinary'), this.#stageDependencies(context));
    const final = new Stage(planOf(config, 'final'), this.#stageDependencies(context));
    this.#record({ t: 'stage', at: Date.now(), stage: 'ACTIVE' });
    const verdict = await ordinary.run(
      () => this.#trip !== undefined,
      () => Number.POSITIVE_INFINITY,
      () => this.#watch(context),
    );
    const trip = verdict === 'interrupted' ? this.#trip : undefined;
    if (trip?.http && config.httpLifecycle) {
      await askToShutDown(config.httpLifecycle, this.#spec.launch.grant.ports, (withinMs) =>
        this.#waitUntilGone(Date.now() + withinMs),
      );
    }
    await this.#cleanUp(trip, final);
    await Promise.all([ordinary.drain(drainMs), final.drain(drainMs)]);
    const state = trip?.state ?? (verdict === 'complete' ? 'FINISHED' : 'FAILED');
    // A limit that was hit while the task was being cleaned up says more than "Task failed."
    const message = trip?.message ?? (state === 'FAILED' ? this.#whyFailed() : endMessages[state]);
    await this.#end(state, message);
  }

  #whyFailed(): string {
    return this.#trip?.state === 'FAILED' ? this.#trip.message : endMessages.FAILED;
  }

  #prepare(): RunContext {
    const { launch, settings } = this.#spec;
    const user = userOf(launch.role, settings);
    createSandbox(this.#paths.sandbox, user);
    this.#census = new TaskCensus(launch.taskId, user.uid);
    if (settings.cgroupParent !== undefined) {
      this.#cgroup = new TaskCgroup(
        settings.cgroupParent,
        this.#paths.dir,
        launch.config.resources,
        ownCgroup(),
      );
    }
    return {
      sandbox: this.#paths.sandbox,
      taskDir: this.#paths.dir,
      environment: taskEnvironment(this.#spec, this.#paths.sandbox, user.name),
      inCgroup: (start) => (this.#cgroup ? this.#cgroup.inside(start) : start()),
      onError: (error) => this.#onDiskFull(error),
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      ...(user.gid === undefined ? {} : { gid: user.gid }),
    };
  }

  #stageDependencies(context: RunContext): ConstructorParameters<typeof Stage>[1] {
    return {
      context,
      checkpoint: this.#checkpoint,
      census: this.#census,
      wake: this.#wake,
      onRunEnd: (run, end) => this.#onRunEnd(run, end),
      onDiskFull: (error) => this.#onDiskFull(error),
    };
  }

  /** Begins health and limit checks; called after each round of starts, acts on the first. */
  #watch(context: RunContext): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const { launch, settings } = this.#spec;
    const probe =
      launch.config.healthCheck &&
      probeOf(launch.config.healthCheck, launch.grant.ports, {
        ...context,
        environment: () => withProfile(context.environment, context.sandbox),
      });
    if (launch.config.healthCheck && probe) {
      const stop = new AbortController();
      this.#stops.push(() => stop.abort());
      const callbacks = {
        onHealthy: () => this.#reportRunning('Task is healthy.'),
        onUnhealthy: (reason: string) => this.#fail(`Failed health check! ${reason}`),
      };
      void watchHealth(launch.config.healthCheck, probe, context.sandbox, callbacks, stop.signal);
    } else {
      this.#reportRunning('No health-check defined, task is assumed healthy.');
    }
    this.#stops.push(
      measureEvery(settings.memoryPollMs, async () => this.#checkMemory()),
      measureEvery(settings.diskPollMs, () => this.#checkDisk()),
    );
  }

  #checkMemory(): void {
    const limit = this.#spec.launch.config.resources.ramMb * mib;
    const isOver = this.#cgroup
      ? this.#cgroup.oomKills() > 0
      : memoryBytes(this.#membersNow(), limit) > limit;
    if (isOver) this.#fail(memoryMessage, { http: false, killFirst: true });
  }

  /** Most looks take the near way; every tenth looks at the whole machine, for who left their parent. */
  #membersNow(): ProcessEntry[] {
    return this.#memoryLooks++ % 10 === 9 ? this.#census.members() : this.#census.nearMembers();
  }

  async #checkDisk(): Promise<void> {
    const reserved = this.#spec.launch.config.resources.diskMb * mib;
    if (reserved === 0) return; // asked for none: not limited
    const used = await directoryBytes(this.#paths.sandbox);
    if (used > reserved) this.#fail(diskMessage(reserved, used));
  }

  #onRunEnd(_run: ProcessRun, end: RunEnd): void {
    this.#census.members(); // while the number of the session can't have been given to somebody else
    // The kernel's kill for memory shows as a plain SIGKILL; the group's counter tells it apart.
    if (end.signal === 'SIGKILL' && this.#cgroup) this.#checkMemory();
  }

  #onDiskFull(error: Error): void {
    this.#fail(
      isDiskFull(error)
        ? `Disk full: the task's logs or checkpoint could not be written (${error.message}). Free space on the agent or ask for another agent.`
        : `Could not write the task's logs: ${error.message}.`,
    );
  }

  #fail(message: string, how: Partial<Trip> = {}): void {
    this.#tripWith({
      state: 'FAILED',
      message,
      http: true,
      budgetMs: this.#spec.settings.killBudgetMs,
      ...how,
    });
  }

  #tripWith(trip: Trip): void {
    this.#trip ??= trip;
    this.#wake.ring();
  }

  #reportRunning(message: string): void {
    if (this.#isRunningReported || this.#trip !== undefined) return;
    this.#isRunningReported = true;
    this.#record({ t: 'task', at: Date.now(), state: 'RUNNING', message });
  }

  /** CLEANING and, if there is time left and something to run, FINALIZING; then nothing of the task is left. */
  async #cleanUp(trip: Trip | undefined, final: Stage): Promise<void> {
    const budgetMs = trip?.budgetMs ?? this.#spec.launch.config.finalizationWaitSecs * 1000;
    this.#deadline = Math.min(this.#deadline, Date.now() + budgetMs);
    this.#stopChecks();
    this.#record({ t: 'stage', at: Date.now(), stage: 'CLEANING' });
    this.#census.signal(trip?.killFirst ? 'SIGKILL' : 'SIGTERM');
    await this.#waitUntilGone();
    if (!final.isEmpty && Date.now() < this.#deadline) {
      this.#census.signal('SIGKILL');
      this.#record({ t: 'stage', at: Date.now(), stage: 'FINALIZING' });
      await final.run(
        () => false,
        () => this.#deadline,
        () => {},
      );
    }
    if (!(await killAll(this.#census, lastKillMs))) {
      log('some processes of the task did not end on SIGKILL');
    }
  }

  /** Waits until no process of the task is left; false if the time (by default the clean-up's) is up first. */
  async #waitUntilGone(until?: number): Promise<boolean> {
    for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 250)) {
      if (this.#census.isEmpty()) return true;
      const left = Math.min(until ?? Number.POSITIVE_INFINITY, this.#deadline) - Date.now();
      if (left <= 0) return false;
      await this.#wake.wait(Math.min(waitMs, left));
    }
  }

  #stopChecks(): void {
    // The watch for kill requests is the first of them and stays: a later request may shorten the clean-up.
    for (const stop of this.#stops.splice(1)) stop();
  }

  async #end(state: EndState, message: string): Promise<void> {
    this.#cgroup?.remove();
    this.#checkpoint.append({ t: 'task', at: Date.now(), state, message }, true);
    const giveUpAt = Date.now() + recordEndMs;
    while (!this.#checkpoint.flush(true) && Date.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    for (const stop of this.#stops) stop();
  }

  #record(record: CheckpointRecord): void {
    this.#checkpoint.append(record);
  }
}
