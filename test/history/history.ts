// What was seen of one real run, as data: calls and their answers, events of the bus, faults, processes of this machine,
// what the tasks themselves wrote down, and what the API says in the end. The rules (rules/) judge it afterwards and
// never look at the system again, so a recorded history can be kept and judged anew. Times are epoch milliseconds.
import type { JobView, TaskView } from '../../shared/api/views.ts';
import type { BusEvent } from '../../shared/model/events.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import type { Constraint } from '../../shared/model/task-config.ts';
import type { TransientState } from '../../shared/model/task-timeouts.ts';
import type { UpdateStatus } from '../../shared/model/update.ts';

/** Instances and the mark of the config they shall run: `metadata.mark` of the config. */
export interface Wanted {
  readonly instances: readonly InstanceRange[];
  readonly mark: string;
}

/** What was asked of a job. `update` replaces the whole job, group by group. */
export type Asked =
  | { readonly kind: 'create'; readonly wanted: readonly Wanted[] }
  | { readonly kind: 'add'; readonly count: number }
  | { readonly kind: 'kill'; readonly instances?: readonly InstanceRange[] }
  | { readonly kind: 'restart'; readonly instances?: readonly InstanceRange[] }
  | { readonly kind: 'update'; readonly wanted: readonly Wanted[] };

export interface Call {
  /** `role/environment/name`. */
  readonly job: string;
  readonly asked: Asked;
  readonly startedAt: number;
  readonly endedAt: number;
  /** unknown: no answer, or one that does not say (5xx); it may have been carried out, or not. */
  readonly outcome: 'accepted' | 'refused' | 'unknown';
  /** Version of the job in the answer, where there is one. */
  readonly specVersion?: number;
  readonly updateId?: string;
  /** Of a refusal. */
  readonly code?: string;
}

/** An event as its receiver got it: perhaps not for the first time. */
export interface Heard {
  readonly heardAt: number;
  readonly event: BusEvent;
}

/** What can be done to an agent: `kill` and `pause` leave its tasks alone, `reboot` ends them, `wipe` takes the disk too. */
type AgentFault = 'kill' | 'pause' | 'reboot' | 'wipe';

/**
 * Something that was done to the system, until it was well again. `engine` and `queues`: the engine of the table or of the
 * queues was killed; `purge`: all messages were lost; `outage`: the control plane was away; `functions` and `store`: they
 * failed at times. `stall`: of the whole machine.
 */
export interface Fault {
  readonly kind: AgentFault | 'engine' | 'queues' | 'purge' | 'outage' | 'functions' | 'store' | 'stall';
  /** Of what is done to an agent. */
  readonly agentId?: string;
  readonly from: number;
  readonly to: number;
}

/** Tasks that had a process on this machine, looked at between two times. */
interface ProcessSample {
  readonly from: number;
  readonly to: number;
  readonly taskIds: readonly string[];
}

/** A line that a task's process wrote into a file outside of Borealis. */
export interface Run {
  readonly taskId: string;
  readonly what: 'start' | 'end';
  readonly agentId: string;
  readonly at: number;
}

/** Its name is its attribute `host`, too. */
interface AgentOffer {
  readonly agentId: string;
  readonly cpuMilli: number;
  readonly ramMb: number;
  readonly diskMb: number;
}

/** What the control plane says is free on an agent in the end, and whose resources are taken. */
interface FinalAgent extends AgentOffer {
  readonly taskIds: readonly string[];
  /** For people who ask why nothing is placed there. */
  readonly presence?: string;
}

/** A job as the API shows it once all is quiet, with all of its tasks. */
export interface FinalJob {
  readonly job: JobView;
  readonly tasks: readonly TaskView[];
  /** `metadata.mark` by config id. */
  readonly marks: Readonly<Record<string, string>>;
  /** What it asks of the agents of its tasks, by config id. */
  readonly constraints: Readonly<Record<string, readonly Constraint[]>>;
  /** Runs of an instance that may fail; -1 = any number. */
  readonly maxTaskFailures: number;
}

export interface FinalUpdate {
  readonly job: string;
  readonly updateId: string;
  readonly status: UpdateStatus;
}

/** What the installation was set to, and what the judge allows. */
interface Limits {
  readonly timeoutsMs: Readonly<Record<TransientState, number>>;
  readonly lostAfterMs: number;
  readonly sweepEveryMs: number;
  /** How much later than due something may happen on a machine that is busy and a control plane that fails at times. */
  readonly slackMs: number;
  /** How long after trouble a silence proves nothing yet, so that nothing is ended for it. */
  readonly reportsArriveMs: number;
  /** How far apart the times of two functions may be: each takes its own at its start. */
  readonly clockMs: number;
  /** How long the process of a task may outlive it on an agent that is well. */
  readonly graceMs: number;
}

export interface History {
  readonly from: number;
  readonly to: number;
  readonly limits: Limits;
  readonly agents: readonly AgentOffer[];
  readonly calls: readonly Call[];
  readonly heard: readonly Heard[];
  readonly faults: readonly Fault[];
  readonly samples: readonly ProcessSample[];
  readonly runs: readonly Run[];
  readonly jobs: readonly FinalJob[];
  readonly updates: readonly FinalUpdate[];
  /** `cpuMilli`, `ramMb` and `diskMb` are what is free. */
  readonly ledgers: readonly FinalAgent[];
}

/** A rule that does not hold. */
export interface Violation {
  readonly rule: string;
  /** Task, job or agent. */
  readonly about: string;
  readonly message: string;
}
