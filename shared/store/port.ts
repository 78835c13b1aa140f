// The store port: every read and every atomic write the control plane makes, in the words of the domain. The DynamoDB
// adapter implements it; the contract suite (test/contract) says what each method promises. A write either happens whole
// or reports a conflict as data; exceptions are for a store that is slow or gone.
import type { Agent, Ledger, Offer } from '../model/agent.ts';
import type { Job } from '../model/job.ts';
import type { JobKey, TaskRef } from '../model/job-key.ts';
import type { Passage } from '../model/passage.ts';
import type { PendingReason } from '../model/reason.ts';
import type { Grant, Resources } from '../model/resources.ts';
import type { Roster } from '../model/roster.ts';
import type { Task } from '../model/task.ts';
import type { Constraint, TaskConfig } from '../model/task-config.ts';
import type { InstanceEvent, UpdateRecord } from '../model/update.ts';
import type { SweepRound } from '../model/wake.ts';

/** A row that cannot be read: somebody else wrote it, or a newer version did. */
export interface UnreadableRow {
  readonly pk: string;
  readonly sk: string;
  readonly error: unknown;
  /** Whose row it is, of a task: what its key says. */
  readonly task?: Omit<TaskRef, 'suffix'>;
  /** Whose row it is, of an agent or its ledger. */
  readonly agentId?: string;
}

/** Is told of each row that a read leaves out because it cannot be read; without one such a read fails (INTERNAL). */
export type SetAside = (row: UnreadableRow) => void;

/** One page of a listing; `next` is an opaque cursor, absent at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** Makes a request repeatable: the same token with the same request answers as the first time, for a day. */
export interface ClientToken {
  readonly value: string;
  /** Of everything that makes the request what it is. */
  readonly requestHash: string;
  /** The update that was started by it, if one was. */
  readonly updateId?: string;
}

export interface CreateJobInput {
  readonly job: Job;
  /** Every config the job names, by content id. */
  readonly configs: ReadonlyMap<string, TaskConfig>;
  readonly token?: ClientToken;
  /** Replace a stored job whose tasks have all ended; the row must still be at this spec version. */
  readonly replaces?: { readonly specVersion: number };
}
export type CreateJobOutcome =
  | { readonly kind: 'created' }
  | { readonly kind: 'exists'; readonly job: Job }
  | { readonly kind: 'replayed'; readonly job: Job }
  | { readonly kind: 'tokenReused' };

export type UpdateJobOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'conflict'; readonly current?: Job }
  | { readonly kind: 'tokenUsed' };

/** A planned state change (see shared/domain/task/apply.ts) as the store writes it. */
export interface TransitionWrite {
  /** The row as it was read; the write is conditional on its taskId and state. */
  readonly task: Task;
  /** The row as it becomes; absent when it is deleted (a PENDING or THROTTLED task killed). */
  readonly next?: Task;
  /** The next generation, written in the same transaction, conditional on not existing. */
  readonly successor?: Task;
}
export type TransitionOutcome =
  | { readonly kind: 'committed' }
  /** Somebody else was first: the row as it is now, absent if gone. Nothing was written. */
  | { readonly kind: 'conflict'; readonly current?: Task };

/** What the matcher needs to know of a waiting task; read from the sparse pending index. */
export interface PendingRow {
  readonly taskId: string;
  readonly configId: string;
  readonly generation: number;
  readonly instance: number;
  readonly key: JobKey;
  readonly priority: number;
  readonly createdAt: number;
  readonly resources: Resources;
  readonly constraints: readonly Constraint[];
}

export interface AssignInput {
  readonly agentId: string;
  /** The ledger the plan was made from; the write is conditional on this version. */
  readonly ledgerVersion: number;
  /** The ledger afterwards (version + 1, tasks in `live`). */
  readonly after: Ledger;
  /** At most 99 (one transaction takes 100 items). */
  readonly tasks: readonly { readonly row: PendingRow; readonly grant: Grant }[];
  readonly now: number;
  readonly deadlineAt: number;
  /** When its entry in the index comes up, epoch ms; at the deadline if absent. */
  readonly lookAt?: number;
}
export type AssignOutcome =
  | { readonly kind: 'committed' }
  /** The ledger moved on or is busy: re-read this agent and plan again. Nothing was written. */
  | { readonly kind: 'ledgerConflict' }
  /** These tasks are no longer PENDING: drop them and plan the rest again. Nothing was written. */
  | { readonly kind: 'taskConflict'; readonly taskIds: readonly string[] }
  /** Nothing stands against this one; another agent in the same transaction was refused. Nothing was written. */
  | { readonly kind: 'held' };

export interface Release {
  readonly taskId: string;
  readonly resources: Resources;
  readonly grant: Grant;
}

export interface AgentWithLedger {
  readonly agent: Agent;
  readonly ledger: Ledger;
}

/** An update as stored. */
export interface StoredUpdate {
  readonly update: UpdateRecord;
  /** Grows with every write; the condition of the next one. */
  readonly version: number;
  /** Number of the execution that drives it: grows when it must be driven anew (after a stop, a hand-over, a loss). */
  readonly sequence: number;
}

/** A job's row as it must become, and the versions it was read at; `expected` absent = no job has the key yet. */
export interface JobWrite {
  readonly next: Job;
  readonly expected?: { readonly specVersion: number; readonly reconciledVersion: number };
}

export interface CreateUpdateInput {
  readonly update: UpdateRecord;
  /** The job that names this update as its active one (shared/domain/update/follow-job.ts). */
  readonly job: JobWrite;
  /** Every config the update asks for, by content id. */
  readonly configs: ReadonlyMap<string, TaskConfig>;
  /** Taken together with the update, or neither. */
  readonly token?: ClientToken | undefined;
}
export type CreateUpdateOutcome =
  /** Also when this very update is there already, as after a lost answer. */
  | { readonly kind: 'created' }
  /** The job is not as it was read (another update may have begun): read it and plan again. Nothing was written. */
  | { readonly kind: 'conflict'; readonly current?: Job }
  /** The client token was taken before: whatever it was taken for counts. Nothing was written. */
  | { readonly kind: 'tokenUsed' };

export interface WriteUpdateInput {
  /** As it was read; the write is conditional on its version. */
  readonly before: StoredUpdate;
  readonly next: UpdateRecord;
  /** The job, if it changes with the update. */
  readonly job?: JobWrite;
  readonly instanceEvents?: readonly InstanceEvent[];
  /** The present execution is over or lost: another must go on. One that starts to act again always gets a new one. */
  readonly newExecution?: boolean;
  /** Epoch ms. */
  readonly now: number;
}
export type WriteUpdateOutcome =
  | { readonly kind: 'committed'; readonly stored: StoredUpdate }
  /** Update or job are not as they were read. Nothing was written. */
  | { readonly kind: 'conflict' };

/** What an update's execution waits with for the end of a batch. */
export interface UpdateCallback {
  readonly updateId: string;
  readonly sequence: number;
  /** As they were when the execution began to wait; `turnsBegun` counts both ways together. */
  readonly status: UpdateRecord['status'];
  readonly turnsBegun: number;
  /** Of Step Functions. */
  readonly taskToken: string;
}

/** Who goes on with a sweep that ran out of time. */
export interface SweepLease extends SweepRound {
  /** After this it counts for nothing, epoch ms. */
  readonly until: number;
}

/** Ids in an agent's ledger of which no task was found, and since when. */
export interface LedgerSuspicion {
  readonly live: readonly string[];
  /** Epoch ms. */
  readonly since: number;
}

/** Write units by where they were used, counted from the engine's own answers. */
export interface CapacityMeter {
  add(operation: string, table: string, writeUnits: number, readUnits: number): void;
}

export interface Store {
  // -- jobs --
  /** One transaction: job row, its role's directory entry, configs (as many as fit; the rest before it), token. */
  createJob(input: CreateJobInput): Promise<CreateJobOutcome>;
  getJob(key: JobKey): Promise<Job | undefined>;
  listJobs(
    filter: { readonly role?: string; readonly environment?: string },
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<Job>>;
  /**
   * Replaces the row if it is still at `expected` (spec and reconciled version); 'conflict' carries the row as it is.
   * With a token both are written or neither; 'tokenUsed' if it was taken, whatever the row is.
   */
  updateJob(
    next: Job,
    expected: { readonly specVersion: number; readonly reconciledVersion: number },
    token?: ClientToken,
  ): Promise<UpdateJobOutcome>;
  /** What a client token was used for; undefined if it is free. */
  tokenUse(value: string): Promise<Omit<ClientToken, 'value'> | undefined>;
  /** Notes a token as used, for a request whose writes could not take it along. A token that is taken stays as it is. */
  takeToken(token: ClientToken): Promise<void>;
  /** The job's row goes at `at` (epoch ms), or some days later, unless the job is changed before. */
  expireJob(job: Job, at: number): Promise<{ readonly kind: 'committed' | 'conflict' }>;
  /** Takes away the configs of a job that is gone; of one that is there nothing. Answers how many. */
  dropConfigs(key: JobKey): Promise<number>;
  getConfigs(key: JobKey, configIds: readonly string[]): Promise<ReadonlyMap<string, TaskConfig>>;

  // -- tasks --
  getTask(taskId: string): Promise<Task | undefined>;
  /** Consistent read of many tasks; ids without a row are left out. */
  getTasks(taskIds: readonly string[], aside?: SetAside): Promise<readonly Task[]>;
  /** All rows (live and history) of instances lo..hi of a job, consistent; reads only the buckets that hold them. */
  listTasks(
    key: JobKey,
    interval: readonly [lo: number, hi: number],
    aside?: SetAside,
  ): Promise<readonly Task[]>;
  /** Takes away rows of ended tasks; one that is not as it was read stays. Answers how many went. */
  dropHistory(tasks: readonly Task[]): Promise<number>;
  /** Inserts rows that do not exist yet; answers which did already (left untouched). Safe to repeat. */
  insertTasks(tasks: readonly Task[]): Promise<{ readonly existing: readonly string[] }>;
  transition(write: TransitionWrite): Promise<TransitionOutcome>;
  /** Many independent transitions, each atomic by itself, outcomes in order. */
  transitionAll(writes: readonly TransitionWrite[]): Promise<readonly TransitionOutcome[]>;

  // -- updates --
  /** One transaction: the update, its entry in the role's directory, the job that names it. Configs before it. */
  createUpdate(input: CreateUpdateInput): Promise<CreateUpdateOutcome>;
  getUpdate(key: JobKey, updateId: string): Promise<StoredUpdate | undefined>;
  /** The newest updates of a job first. */
  listJobUpdates(
    key: JobKey,
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<UpdateRecord>>;
  /** Updates of a role, or of all roles one after the other; within a role the newest first. */
  listUpdates(
    filter: { readonly role?: string },
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<UpdateRecord>>;
  /** One transaction: record, job and what happened to instances; all or nothing. */
  writeUpdate(input: WriteUpdateInput): Promise<WriteUpdateOutcome>;
  /** What happened to the instances of an update, oldest first. */
  listInstanceEvents(
    key: JobKey,
    updateId: string,
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<InstanceEvent>>;
  /** Remembers what the execution waits with; the last one counts. */
  putCallback(callback: UpdateCallback, now: number): Promise<void>;
  getCallback(updateId: string): Promise<UpdateCallback | undefined>;
  /** Forgets it, unless another has taken its place. */
  dropCallback(callback: UpdateCallback): Promise<void>;

  // -- matching --
  /** Waiting tasks of a pool in priority then age order, up to `limit`. Index read: may lag; commits are conditional. */
  listPending(pool: string, limit: number, aside?: SetAside): Promise<readonly PendingRow[]>;
  /** How many tasks of a pool wait, from the same index. */
  countPending(pool: string): Promise<number>;
  /**
   * What is still to be worked off, counted no further than about `enough`: tasks of a pool that wait, and jobs of all
   * pools whose newest spec is not carried out. Exact for a small `enough`, else an estimate from one shard of eight.
   */
  countBacklog(pool: string, enough: number): Promise<{ readonly tasks: number; readonly jobs: number }>;
  /**
   * Gives agents their tasks in one transaction of at most 100 rows (a ledger and its tasks for each agent): all are
   * committed or none is. One outcome per input, in order.
   */
  assign(inputs: readonly AssignInput[]): Promise<readonly AssignOutcome[]>;
  /** Gives resources back; a task not in the ledger's `live` is skipped, so repeating changes nothing. */
  release(agentId: string, releases: readonly Release[]): Promise<{ readonly released: readonly string[] }>;
  /** The latest verdict on waiting tasks, by job and config. Best effort, expires. */
  putReasons(
    reasons: readonly { readonly key: JobKey; readonly configId: string; readonly reason: PendingReason }[],
  ): Promise<void>;
  getReasons(key: JobKey): Promise<ReadonlyMap<string, PendingReason>>;

  // -- agents --
  /**
   * First registration writes agent and ledger; a later one updates the offer and keeps the ledger's commitments. An
   * agent without an owner gets `principal` for one. `sentAt` is the queue's time. Nothing is written if the agent has
   * another owner (`foreign`), if an older process than the present one registers (`stale`), or one that the present one
   * had followed, which means that two machines share the id (`superseded`).
   */
  registerAgent(
    offer: Offer,
    sessionId: string,
    sentAt: number,
    principal?: string,
  ): Promise<
    | { readonly kind: 'registered' | 'updated' | 'stale' | 'superseded' }
    | { readonly kind: 'foreign'; readonly owner: string }
  >;
  /** Hands an agent id to another identity; without one, to whoever registers it next. */
  bindAgent(agentId: string, principal: string | undefined): Promise<{ readonly kind: 'bound' | 'unknown' }>;
  getAgent(agentId: string): Promise<AgentWithLedger | undefined>;
  listAgents(
    filter: { readonly pool?: string },
    page: { readonly limit: number; readonly cursor?: string },
    aside?: SetAside,
  ): Promise<Page<AgentWithLedger>>;
  /** Every agent, without ledgers. */
  listRegistered(
    page: { readonly limit: number; readonly cursor?: string },
    aside?: SetAside,
  ): Promise<Page<Agent>>;
  /** Every agent of a pool with its ledger, consistent. */
  loadPool(pool: string, aside?: SetAside): Promise<readonly AgentWithLedger[]>;
  /** Tasks on an agent (ASSIGNED .. KILLING), consistent rows found through the by-agent index. */
  listOnAgent(agentId: string, aside?: SetAside): Promise<readonly Task[]>;
  /**
   * Changes an agent's mode, on condition that its row and ledger are as they were read. The ledger's version moves on,
   * so that a placement planned before is refused. To DRAINED only while no task holds anything of the agent.
   */
  setAgentMode(
    read: AgentWithLedger,
    next: Pick<Agent, 'mode' | 'drain'>,
  ): Promise<{ readonly kind: 'committed' | 'conflict' }>;
  /** Agents whose mode is DRAINING, earliest deadline first. Found through an index: a new one may be missing. */
  listDraining(aside?: SetAside): Promise<readonly AgentWithLedger[]>;
  /**
   * Declares an agent lost, or back if `lostAt` is undefined, on condition that its row and ledger are as they were
   * read. The ledger's version moves on, so that a placement planned before is refused.
   */
  setAgentLost(
    read: AgentWithLedger,
    lostAt: number | undefined,
  ): Promise<{ readonly kind: 'committed' | 'conflict' }>;
  /**
   * Takes a lost agent and its ledger away, on condition that both are as they were read and no task holds anything of
   * the ledger.
   */
  forgetAgent(read: AgentWithLedger): Promise<{ readonly kind: 'committed' | 'conflict' }>;
  /** When each agent was last heard; undefined before the first roll call. */
  getRoster(options?: { readonly isConsistent: boolean }): Promise<Roster | undefined>;
  /** Replaces the roster if its version is still `madeFrom` (undefined: there was none). */
  putRoster(
    roster: Roster,
    madeFrom: number | undefined,
  ): Promise<{ readonly kind: 'committed' | 'conflict' }>;
  /** Sends a probe on the way that changes and reports take; `at`, epoch ms, is what it says at the end of it. */
  putProbe(at: number): Promise<void>;
  /** Empty while nothing was ever noted. As it is now. */
  getPassage(): Promise<Passage>;
  /** Notes what is newer than what is noted already; of the rest nothing. */
  notePassage(news: Passage): Promise<void>;

  // -- sweeping --
  /**
   * Tasks whose index entry is due in one shard, longest first; the row's own deadlineAt decides (lazy timer). `limit` is of
   * index entries, and the index lags: a page may be short, or empty, and not be the last; that is one without `next`.
   */
  listDue(
    shard: number,
    now: number,
    page: { readonly limit: number; readonly cursor?: string },
    aside?: SetAside,
  ): Promise<Page<Task>>;
  /** Moves a not-yet-due index entry to the row's deadline, or drops it if the row has none. */
  deferDue(task: Task): Promise<void>;
  /** Jobs of one shard whose newest spec has not been carried out within `unreconciledGraceMs` of its acceptance. */
  listUnreconciled(shard: number, now: number, limit: number): Promise<readonly JobKey[]>;
  /** Rolling updates of one shard whose execution should be looked at by now, those due for longest first. */
  listDueUpdates(
    shard: number,
    now: number,
    limit: number,
  ): Promise<readonly { readonly key: JobKey; readonly updateId: string; readonly dueAt: number }[]>;
  /** Looks at the update's execution again at `at`, if it is still driven by the same. */
  deferUpdate(stored: StoredUpdate, at: number): Promise<void>;
  /** Undefined if no sweep is being continued; it may be over. */
  getSweepLease(): Promise<SweepLease | undefined>;
  /** Replaces the lease (or takes it away) if it is still `madeFrom`, which undefined says of none. */
  putSweepLease(
    next: SweepLease | undefined,
    madeFrom: SweepLease | undefined,
  ): Promise<{ readonly kind: 'committed' | 'conflict' }>;
  /** Ids of the agents of one of `agentShards` parts of the fleet, of any pool, in their order. May lag. */
  listAgentShard(shard: number): Promise<readonly string[]>;
  /** Writes a ledger made from what was read, if agent and ledger are still as they were. */
  healLedger(read: AgentWithLedger, ledger: Ledger): Promise<{ readonly kind: 'committed' | 'conflict' }>;
  /** By agent, those that are suspected for longest first. May lag. */
  listSuspicions(): Promise<ReadonlyMap<string, LedgerSuspicion>>;
  /** Remembers what an audit found, for some days. */
  putSuspicion(agentId: string, suspicion: LedgerSuspicion): Promise<void>;
  dropSuspicion(agentId: string): Promise<void>;
  /** Pools with waiting tasks, for the safety-net wake-up. */
  pendingPools(): Promise<readonly string[]>;

  /** Cheap read that proves the store answers. */
  ping(): Promise<void>;
}

/** One record of the state table's stream: the row before and after a change. */
export type StreamChange =
  | { readonly kind: 'task'; readonly before?: Task; readonly after?: Task }
  | { readonly kind: 'job'; readonly before?: Job; readonly after?: Job }
  | { readonly kind: 'agent'; readonly before?: Agent; readonly after?: Agent }
  | { readonly kind: 'ledger'; readonly before?: Ledger; readonly after?: Ledger }
  | { readonly kind: 'update'; readonly before?: UpdateHead; readonly after?: UpdateHead }
  | { readonly kind: 'probe'; readonly sentAt: number }
  | { readonly kind: 'other' };

/** The part of an update that its changing row holds. */
export interface UpdateHead extends JobKey, Pick<UpdateRecord, 'updateId' | 'status' | 'events'> {
  readonly sequence: number;
}
