// Starts, adopts, watches and ends the tasks of one agent. Each task has a runner process of its own that outlives the
// agent; this class knows them by their folders and tails their checkpoints.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TaskLaunch, TaskStatus } from '../../shared/model/protocol.ts';
import {
  killMessage,
  runnerExitCodes,
  shutdownMessage,
  statusOfDeadRunner,
} from '../executor/exit-status.ts';
import type { AgentLog } from '../log.ts';
import { errorText } from '../log.ts';
import { cgroupDir, removeCgroup } from '../runner/cgroup.ts';
import { killAll, TaskCensus } from '../runtime/census.ts';
import { CheckpointWriter } from '../runtime/checkpoint.ts';
import { pathsIn, taskPaths, tasksDir } from '../runtime/layout.ts';
import { isSameAlive, sendSignal } from '../runtime/procfs.ts';
import type { KillRequest, RunnerSettings } from '../runtime/spec.ts';
import type { FinalStatus, FinishedTasks } from './finished-tasks.ts';
import { LocalTask } from './local-task.ts';
import { renderConfig } from './render-config.ts';
import { createTaskFolder, readSpec, writeKillRequest } from './task-folder.ts';
import type { TaskUsers } from './task-users.ts';

// In a bundle (infra/constructs/agent-bundle.ts) the runner lies beside the agent.
const runnerFile = import.meta.url.endsWith('.ts') ? '../runner/main.ts' : './runner.mjs';
const runnerMain = fileURLToPath(new URL(runnerFile, import.meta.url));
/** A runner must have taken its task within this time (spec/executor.md section 1), ms. */
const runnerStartLimitMs = 60_000;
/** How often checkpoints and runners are looked at when no watch said anything, ms. */
const sweepMs = 1000;
const lastKillMs = 5000;

export interface SupervisorOptions {
  readonly workDir: string;
  readonly settings: RunnerSettings;
  readonly finished: FinishedTasks;
  /** Decides the users of tasks; absent: the runner does, by its settings. */
  readonly users?: TaskUsers;
  /** A status to report; `accepted` is to be called when the control plane has it. */
  readonly onStatus: (status: TaskStatus, accepted: () => void) => void;
  readonly log: AgentLog;
  readonly now: () => number;
}

export class TaskSupervisor {
  readonly #options: SupervisorOptions;
  readonly #tasks = new Map<string, LocalTask>();
  /** Role of each task with a folder. */
  readonly #roles = new Map<string, string>();
  #sweeper: NodeJS.Timeout | undefined;
  #warmingUp: ChildProcess | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Takes over what an earlier agent process left, then watches. */
  start(): void {
    fs.mkdirSync(tasksDir(this.#options.workDir), { recursive: true });
    // Tasks get through to their own folders but are not told which there are.
    fs.chmodSync(tasksDir(this.#options.workDir), 0o711);
    for (const name of fs.readdirSync(tasksDir(this.#options.workDir))) {
      this.#adopt(join(tasksDir(this.#options.workDir), name));
    }
    this.#sweeper = setInterval(() => {
      for (const task of this.active()) this.#look(task);
    }, sweepMs);
    this.#warmUp();
  }

  /** Tasks that have not ended. */
  active(): LocalTask[] {
    return [...this.#tasks.values()].filter((task) => !task.final);
  }

  /** All tasks with a folder, ended ones included. */
  all(): LocalTask[] {
    return [...this.#tasks.values()];
  }

  find(taskId: string): LocalTask | undefined {
    return this.#tasks.get(taskId);
  }

  /** Runs a task; does nothing if this agent runs it already or has ended it before. */
  launch(launch: TaskLaunch): void {
    const { taskId } = launch;
    if (this.#tasks.has(taskId) || this.#options.finished.get(taskId)) return;
    const paths = taskPaths(this.#options.workDir, taskId);
    const launchedAt = this.#options.now();
    try {
      const config = renderConfig(launch, this.#options.settings.hostname);
      const spec = {
        v: 1,
        launchedAt,
        launch: { ...launch, config },
        settings: this.#settingsFor(launch.role),
      } as const;
      createTaskFolder(paths, spec);
    } catch (error) {
      this.#endWithout(taskId, 'FAILED', `Failed to initialize sandbox: ${errorText(error)}`);
      return;
    }
    this.#options.log('info', 'task launched', { taskId });
    this.#roles.set(taskId, launch.role);
    const task = this.#add(new LocalTask(taskId, paths, launchedAt));
    this.#startRunner(task);
    this.#look(task);
  }

  #settingsFor(role: string): RunnerSettings {
    const { settings, users } = this.#options;
    return users ? { ...settings, user: users.userFor(role, new Set(this.#roles.values())) } : settings;
  }

  /** Ends a task. One that never came here is remembered as killed, so that a launch that comes late is not run. */
  kill(taskId: string, request: KillRequest = { message: killMessage }): void {
    const task = this.#tasks.get(taskId);
    if (task === undefined) {
      if (this.#options.finished.get(taskId)) this.resend(taskId);
      else {
        this.#endWithout(taskId, 'KILLED', request.message);
        // Should processes of it live without a folder (a lost work directory), they go too.
        void killAll(new TaskCensus(taskId), lastKillMs);
      }
      return;
    }
    if (task.final) {
      this.resend(taskId);
      return;
    }
    if (task.isKillRequested && request.budgetMs === undefined) return;
    this.#options.log('info', 'task is being killed', { taskId, message: request.message });
    task.isKillRequested = true;
    try {
      writeKillRequest(task.paths, request);
    } catch (error) {
      // A disk without any room: the signal says the same, without the request's own words.
      this.#options.log('warn', 'a kill request could not be written', { taskId, error: errorText(error) });
      if (task.runner && isSameAlive(task.runner)) sendSignal(task.runner.pid, 'SIGTERM');
    }
  }

  /** Reports the final status of an ended task once more. */
  resend(taskId: string): void {
    const task = this.#tasks.get(taskId);
    const final = task?.final ?? this.#options.finished.get(taskId);
    if (!final) return;
    if (task) task.finalAcceptedAt = undefined;
    this.#options.onStatus(final, () => {
      if (task) task.finalAcceptedAt = this.#options.now();
    });
  }

  /** Reports once more how far a running task has come. */
  tell(taskId: string): void {
    const task = this.#tasks.get(taskId);
    if (!task?.last || task.final) return;
    const { state } = task.last;
    this.#options.onStatus({ taskId, state, at: this.#options.now() }, () => {
      if (task.last?.state === state) task.last = { state, acceptedAt: this.#options.now() };
    });
  }

  /** Reports as lost a task that is believed to run here and of which nothing is known (a wiped disk). */
  giveUp(taskId: string): void {
    if (this.#tasks.has(taskId) || this.#options.finished.get(taskId)) return;
    this.#options.log('warn', 'a task that should run here is not known here', { taskId });
    this.#endWithout(taskId, 'LOST', 'The agent knows nothing of it.');
    void killAll(new TaskCensus(taskId), lastKillMs);
  }

  /** Ends every task and waits until nothing of them is left, runners included. */
  async killEverything(budgetMs: number): Promise<void> {
    for (const task of this.active()) {
      this.kill(task.taskId, { message: shutdownMessage, budgetMs, http: false });
    }
    const until = Date.now() + budgetMs + lastKillMs;
    while (this.active().length > 0 && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      for (const task of this.active()) this.#look(task);
    }
    await Promise.all(this.active().map((task) => this.#bury(task)));
    const isRunnerAlive = (task: LocalTask) => task.runner !== undefined && isSameAlive(task.runner);
    while (this.all().some(isRunnerAlive) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Stops watching; the tasks go on. */
  stop(): void {
    clearInterval(this.#sweeper);
    this.#warmingUp?.kill('SIGKILL');
    for (const task of this.#tasks.values()) task.watcher?.close();
  }

  /** Forgets an ended task and removes its folder. */
  async remove(task: LocalTask): Promise<void> {
    await fs.promises.rm(task.paths.dir, { recursive: true, force: true });
    this.#tasks.delete(task.taskId);
    this.#roles.delete(task.taskId);
  }

  /** Fills the compile cache once, which more than halves the start of every runner. */
  #warmUp(): void {
    if (fs.existsSync(this.#compileCache)) return;
    this.#warmingUp = this.#spawnRunner('--warm-up', 'ignore');
    this.#warmingUp.on('error', (error) => {
      this.#options.log('error', 'runners can not be started', { error: error.message });
    });
    this.#warmingUp.unref();
  }

  get #compileCache(): string {
    return join(this.#options.workDir, '.compile-cache');
  }

  #adopt(dir: string): void {
    const paths = pathsIn(dir);
    const spec = readSpec(paths);
    if (spec === undefined) {
      // The agent died while making it, before any runner could start.
      fs.rmSync(dir, { recursive: true, force: true });
      return;
    }
    this.#roles.set(spec.launch.taskId, spec.launch.role);
    const task = this.#add(new LocalTask(spec.launch.taskId, paths, spec.launchedAt));
    task.isKillRequested = fs.existsSync(paths.kill);
    // No runner has taken it: start one. Should one be on its way, the second finds the task taken and leaves.
    if (!task.runner) this.#startRunner(task);
    this.#look(task);
    if (!task.final) this.#options.log('info', 'task adopted', { taskId: task.taskId });
  }

  #add(task: LocalTask): LocalTask {
    this.#tasks.set(task.taskId, task);
    try {
      task.watcher = fs.watch(task.paths.checkpoint, () => this.#look(task));
      task.watcher.on('error', () => task.watcher?.close());
    } catch {
      // no watches left, or no checkpoint: the sweep sees to it
    }
    return task;
  }

  #startRunner(task: LocalTask): void {
    let logFd: number | undefined;
    try {
      logFd = fs.openSync(task.paths.runnerLog, 'a', 0o600);
      task.startedRunnerAt = Date.now();
      task.child = this.#spawnRunner(task.paths.dir, logFd);
    } catch (error) {
      this.#endTask(task, 'FAILED', `Task initialization failed: ${errorText(error)}`);
      return;
    } finally {
      if (logFd !== undefined) fs.closeSync(logFd);
    }
    task.child.once('error', (error) => {
      this.#endTask(task, 'FAILED', `Task initialization failed: ${error.message}`);
    });
    task.child.once('exit', (code) => {
      task.child = undefined;
      task.runnerExitCode = code ?? undefined;
      this.#look(task);
    });
    task.child.unref();
  }

  #spawnRunner(argument: string, output: number | 'ignore'): ChildProcess {
    return spawn(process.execPath, ['--max-semi-space-size=1', runnerMain, argument], {
      cwd: this.#options.workDir,
      detached: true,
      stdio: ['ignore', output, output],
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        NODE_COMPILE_CACHE: this.#compileCache,
      },
    });
  }

  /** Reads what is new of a task, and sees whether its runner still lives. */
  #look(task: LocalTask): void {
    this.#readNew(task);
    if (task.final || task.isBurying) return;
    const { runner } = task;
    const isDead = runner ? !isSameAlive(runner) : this.#failedToStart(task);
    if (!isDead) return;
    this.#readNew(task); // its last words may have come between the two looks
    if (!task.final) void this.#bury(task);
  }

  #readNew(task: LocalTask): void {
    const hadEnded = task.final !== undefined;
    for (const { number, status } of task.readNew()) {
      this.#options.onStatus(status, () => task.accepted(number, this.#options.now()));
    }
    if (task.final && !hadEnded) this.#onEnd(task, task.final);
  }

  #failedToStart(task: LocalTask): boolean {
    const hasExited = task.child === undefined && task.runnerExitCode !== undefined;
    if (hasExited && task.runnerExitCode !== runnerExitCodes.notMine) return true;
    if (Date.now() - task.startedRunnerAt < runnerStartLimitMs) return false;
    task.child?.kill('SIGKILL');
    return true;
  }

  /** Ends a task whose runner is dead or must die: kills what is left of it, then records the end in its place. */
  async #bury(task: LocalTask): Promise<void> {
    if (task.isBurying) return;
    task.isBurying = true;
    if (task.runner && isSameAlive(task.runner)) sendSignal(task.runner.pid, 'SIGKILL');
    const census = new TaskCensus(task.taskId);
    // Of sessions without their leader the number may be a stranger's by now; their processes are found by the mark.
    for (const session of task.sessions.filter(isSameAlive)) census.addSession(session);
    await killAll(census, lastKillMs);
    const { cgroupParent } = this.#options.settings;
    if (cgroupParent !== undefined) removeCgroup(cgroupDir(cgroupParent, task.paths.dir));
    const { state, message } = statusOfDeadRunner(task.runner ? undefined : task.runnerExitCode);
    this.#options.log('warn', 'runner is dead', { taskId: task.taskId, state, message });
    this.#endTask(task, state, message);
  }

  #endTask(task: LocalTask, state: FinalStatus['state'], message: string): void {
    const writer = new CheckpointWriter(task.paths.checkpoint, task.paths.ballast, () => {});
    writer.append({ t: 'task', at: this.#options.now(), state, message }, true);
    this.#readNew(task);
    if (task.final) return;
    // The disk took nothing: report from memory; a restart comes to the same end again.
    task.final = { taskId: task.taskId, state, at: this.#options.now(), message };
    this.#onEnd(task, task.final);
    this.resend(task.taskId);
  }

  #onEnd(task: LocalTask, final: FinalStatus): void {
    task.watcher?.close();
    task.watcher = undefined;
    this.#options.finished.add(final);
    this.#options.log('info', 'task ended', {
      taskId: task.taskId,
      state: final.state,
      message: final.message,
    });
  }

  /** The end of a task that has no folder here. */
  #endWithout(taskId: string, state: FinalStatus['state'], message: string): void {
    const final: FinalStatus = { taskId, state, at: this.#options.now(), message: message.slice(0, 1024) };
    this.#options.finished.add(final);
    this.#options.onStatus(final, () => {});
  }
}
