// The two files by which an agent speaks to a runner: what to run, and the order to end it. Plain JSON written by the
// agent, so the runner trusts the shape and loads no schema library (its start-up time is part of submit to RUNNING).
import type { TaskLaunch } from '../../shared/model/protocol.ts';

/** Knobs of a runner; the agent's options decide them. */
export interface RunnerSettings {
  readonly hostname: string;
  /** PATH of the task's processes. */
  readonly path: string;
  /** Run processes as the user named like the role (the runner must be root); else as the agent's own user. */
  readonly runAsRole: boolean;
  /** With `runAsRole`: the user of tasks whose role has none. */
  readonly taskUser?: string;
  /** With `runAsRole`: the user of this task, as the agent has decided, whatever its role is called. */
  readonly user?: string;
  /** Time between looks at memory use, ms; stretched when a look is costly. */
  readonly memoryPollMs: number;
  /** Time between measures of the sandbox, ms; stretched likewise. */
  readonly diskPollMs: number;
  /** From SIGTERM to SIGKILL when a task is ended by force, ms. */
  readonly killBudgetMs: number;
  /** A cgroup v2 folder in which a child per task may be made; absent = limits by polling. */
  readonly cgroupParent?: string;
}

/** Content of task.json. Templates in `launch.config` are already rendered. */
export interface RunnerSpec {
  readonly v: 1;
  /** When the agent took the task over, epoch ms. */
  readonly launchedAt: number;
  readonly launch: TaskLaunch;
  readonly settings: RunnerSettings;
}

/** Content of kill.json. */
export interface KillRequest {
  readonly message: string;
  /** Overrides the settings' budget; a later request may shorten it. */
  readonly budgetMs?: number;
  /** False skips the HTTP steps of the escalation. */
  readonly http?: boolean;
}

/** Identity of a process that survives pid reuse. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot (Linux), else absent. */
  readonly startTicks?: number;
  /** The start of the machine those ticks belong to. */
  readonly bootId?: string;
}
