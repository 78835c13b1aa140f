// What can be set on an agent, and the defaults.

import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import type { Attributes } from '../shared/model/agent.ts';
import type { Capacity } from '../shared/model/resources.ts';
import { heartbeatMs } from '../shared/model/roster.ts';
import type { AgentLog } from './log.ts';
import type { TaskAccounts } from './tasks/task-users.ts';
import type { AgentTransport } from './transport.ts';

export interface AgentOptions {
  readonly agentId: string;
  readonly cluster: string;
  /** Default `default`. */
  readonly pool?: string;
  /** Name of the machine; default the system's. */
  readonly host?: string;
  /** Base URL of the API. */
  readonly api: string;
  readonly intakeQueueUrl: string;
  /** Region, endpoint and credentials of SQS; the SDK's own defaults otherwise. */
  readonly sqs?: SQSClientConfig;
  /** Replaces fetch towards the API, for instance by one that signs requests. */
  readonly fetch?: typeof fetch;
  /** Replaces SQS and the API altogether (tests). */
  readonly transport?: AgentTransport;
  /** Everything of the agent and its tasks lies here; one agent per directory. Made if missing. */
  readonly workDir: string;
  /** Replaces what is measured, resource by resource. */
  readonly capacity?: Partial<Capacity>;
  /** Added to `host`, `observer` and, with cards, `gpu-model`. */
  readonly attributes?: Attributes;
  /** Processes run as the user named like the job's role; needs root. Default false: as the agent's own user. */
  readonly runAsRole?: boolean;
  /** With `runAsRole`: the user of tasks whose role has none. Default: such tasks fail. */
  readonly taskUser?: string;
  /** With `runAsRole`: accounts of which each role without a user of its own gets one to itself; in place of `taskUser`. */
  readonly taskAccounts?: TaskAccounts;
  /** `stop` ends all tasks too (the embedded stack). Default false: tasks go on and are adopted by the next start. */
  readonly killTasksOnStop?: boolean;
  /** Address of the log server; false = none. Default 127.0.0.1 and a free port. */
  readonly observer?: { readonly host?: string; readonly port?: number } | false;
  /**
   * cgroup v2: a folder delegated to the agent, holding no process itself, in which one group per task is made; 'auto'
   * makes one where the machine has the memory controller enabled and writable; false = limits by polling.
   */
  readonly cgroup?: 'auto' | { readonly parent: string } | false;
  /** PATH of the tasks' processes; default the agent's own. */
  readonly taskPath?: string;
  /** How long files of ended tasks are kept, ms; default one day. */
  readonly sandboxRetentionMs?: number;
  /** Share of the disk in use above which files of ended tasks go early; default 0.95. */
  readonly diskThreshold?: number;
  readonly timings?: Partial<AgentTimings>;
  readonly log?: AgentLog;
}

/** Intervals in ms. */
export interface AgentTimings {
  readonly heartbeatMs: number;
  readonly registerMs: number;
  /** Between fetches of what should run; see idleTurns. */
  readonly reconcileMs: number;
  /** Statuses wait this long for others to share a report. */
  readonly flushMs: number;
  readonly memoryPollMs: number;
  readonly diskPollMs: number;
  readonly sandboxGcMs: number;
  /** From SIGTERM to SIGKILL when a task is killed. */
  readonly killBudgetMs: number;
  /** The same when the agent stops with `killTasksOnStop`. */
  readonly stopBudgetMs: number;
}

export const defaultTimings: AgentTimings = {
  heartbeatMs,
  registerMs: 3_600_000,
  reconcileMs: 15_000,
  flushMs: 50,
  memoryPollMs: 2000,
  diskPollMs: 15_000,
  sandboxGcMs: 60_000,
  killBudgetMs: 60_000,
  stopBudgetMs: 5000,
};

/**
 * An agent without tasks fetches the level once in so many turns: fetching is most of what an idle agent costs. A launch
 * that was lost need not wait for it, the sweep tells of it (functions/sweeper/remind.ts).
 */
export const idleTurns = 30;

export const defaultRetentionMs = 24 * 3600 * 1000;
export const defaultDiskThreshold = 0.95;
