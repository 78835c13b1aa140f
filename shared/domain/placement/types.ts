// What a placement plan is made from and what it says. Plain data on both sides, so a plan can be stored, replayed
// and tested without a store (design D4). The pipeline: filter -> rank -> plan; committing is the caller's (D3).
import type { Agent, Ledger } from '../../model/agent.ts';
import type { PendingReason } from '../../model/reason.ts';
import type { Grant, Resources } from '../../model/resources.ts';
import type { Presence } from '../../model/roster.ts';
import type { Constraint } from '../../model/task-config.ts';

/** One agent as the matcher read it: what it is, and its ledger of free amounts. */
export interface AgentSnapshot {
  readonly agent: Pick<Agent, 'agentId' | 'host' | 'pool' | 'mode' | 'attributes' | 'capacity'> & {
    /** Absent = present. */
    readonly presence?: Presence;
  };
  readonly ledger: Ledger;
}

/** One task that waits for an agent. */
export interface PendingTask {
  readonly taskId: string;
  /** `role/environment/name`. */
  readonly jobPath: string;
  readonly role: string;
  readonly instance: number;
  /** Larger goes first. */
  readonly priority: number;
  /** Epoch ms; older goes first within a priority. */
  readonly createdAt: number;
  readonly resources: Resources;
  readonly constraints: readonly Constraint[];
}

/** A task that holds resources on an agent; only those of jobs with limit constraints are needed. */
export interface RunningTask {
  readonly jobPath: string;
  readonly agentId: string;
}

/** Everything one plan looks at: one pool. */
export interface PlacementSnapshot {
  readonly agents: readonly AgentSnapshot[];
  /** In any order; the plan sorts. */
  readonly pending: readonly PendingTask[];
  readonly running: readonly RunningTask[];
}

/** What one agent is given, to be committed as one conditional write (design D3). */
export interface Assignment {
  readonly agentId: string;
  /** The version the plan was made from. */
  readonly ledgerVersion: number;
  readonly tasks: readonly { readonly taskId: string; readonly grant: Grant }[];
  /** The ledger once committed: version + 1, the tasks in `live`. */
  readonly after: Ledger;
}

/** A task left waiting; tasks of one shape share the reason object. */
export interface Unplaced {
  readonly taskId: string;
  /** Same for tasks with the same resources and constraints (and job, if a limit counts it). */
  readonly shapeKey: string;
  readonly reason: PendingReason;
}

/** The whole decision of one planning round. */
export interface PlacementPlan {
  /** By agent id. */
  readonly assignments: readonly Assignment[];
  /** In planning order. */
  readonly unplaced: readonly Unplaced[];
}

/** How much a plan may spend on being fast; none of it changes what is allowed. */
export interface PlacementOptions {
  /** Most groups agents are split into by the attributes that constraints name; default 1,024. */
  readonly mostGroups?: number;
  /** Most lanes x agents held at once, a cell being about 25 bytes; default 16 million. */
  readonly mostLaneCells?: number;
}
