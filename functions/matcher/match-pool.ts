// Drains what waits in one pool: load, plan, commit, and again for whatever was refused (design D2, D3).
//
//   burst  while many tasks are still being made, wait a little: planned whole they take fewer, fuller transactions
//   page   up to `pendingLimit` waiting tasks in priority, age order
//   round  plan them on the ledgers as known, commit in transactions of one or more whole agents; a refused agent is
//          read again and only what it did not take is planned anew, the others stand
//
// Tasks or room that appear meanwhile bring their own wake-up, so a page that is not full is the last one.
import { setTimeout as pause } from 'node:timers/promises';
import { defaultSilentAfterMs, presenceOf } from '../../shared/domain/agent/presence.ts';
import { type PlacementPlan, planPlacement, type RunningTask } from '../../shared/domain/placement/index.ts';
import { reminderAt, type StateTimeouts } from '../../shared/domain/task/timeouts.ts';
import { isBorealisError } from '../../shared/lib/errors.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Ledger } from '../../shared/model/agent.ts';
import { jobPath, liveId } from '../../shared/model/job-key.ts';
import type { Roster } from '../../shared/model/roster.ts';
import { backOff, mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger, PendingRow, SetAside, Store } from '../../shared/store/port.ts';
import type { Log, MetricPort, RemainingTime } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import {
  type CommitInput,
  type CommitResult,
  type CommitTimes,
  commitAssignment,
  commitTogether,
  groupForTransactions,
} from './commit.ts';
import { measureRun } from './measures.ts';
import type { ReasonWriter } from './reason-writer.ts';
import { limitedJobs, loadRunning } from './running.ts';

export interface MatcherDeps {
  readonly store: Pick<
    Store,
    | 'listPending'
    | 'countPending'
    | 'loadPool'
    | 'getAgent'
    | 'assign'
    | 'getJob'
    | 'listTasks'
    | 'putReasons'
    | 'getRoster'
  >;
  readonly reasons: ReasonWriter;
  readonly timeouts: StateTimeouts;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: MetricPort;
  /** Agents not heard for so long get no tasks; 60 s if absent. */
  readonly silentAfterMs?: number;
  /** Replaced in tests. */
  readonly sleep?: (ms: number) => Promise<void>;
  readonly limits?: Partial<MatcherLimits>;
}

interface MatcherLimits {
  /** Waiting tasks planned at once. */
  readonly pendingLimit: number;
  /** To this many when a full page finds no place at all, so that what can't be placed never hides what can. */
  readonly maxPendingLimit: number;
  /** So many waiting tasks are a burst; fewer are planned at once. */
  readonly burstTasks: number;
  /** A burst that grew by less than this since the last look is complete. */
  readonly burstGrowth: number;
  readonly burstLookMs: number;
  /** Longest wait for a burst to be complete. */
  readonly burstWaitMs: number;
  /** Transactions under way at once. */
  readonly commitsAtOnce: number;
  /** Rounds on one page before the rest is left to the next wake-up. */
  readonly maxRounds: number;
  /** Stop planning when less time than this is left, milliseconds. */
  readonly reserveMs: number;
}

const defaultLimits: MatcherLimits = {
  pendingLimit: 20_000,
  maxPendingLimit: 200_000,
  burstTasks: 250,
  burstGrowth: 50,
  burstLookMs: 100,
  burstWaitMs: 2_000,
  commitsAtOnce: 8,
  maxRounds: 30,
  reserveMs: 8_000,
};

export interface MatchReport {
  readonly pool: string;
  readonly assigned: number;
  /** Left waiting, with a reason written. */
  readonly waiting: number;
  readonly rounds: number;
  /** Transactions refused because the ledger or a task had moved on. */
  readonly conflicts: number;
  readonly durationMs: number;
  /** Tasks and room that were there at this time, epoch ms, have been decided on if `complete`. */
  readonly readAt: number;
  /** Age of the oldest task looked at. */
  readonly oldestPendingMs: number;
  /** False: stopped early, the pool must be woken again. */
  readonly complete: boolean;
}

/** Places what can be placed. Throws only if the store does; what was committed by then stands. */
export async function matchPool(
  pool: string,
  remainingMs: RemainingTime,
  deps: MatcherDeps,
): Promise<MatchReport> {
  const run = new MatchRun(pool, remainingMs, deps);
  const report = await run.drain();
  deps.log.info('pool matched', { ...report });
  measureRun(report, run.latenciesMs, deps.meter);
  return report;
}

class MatchRun {
  /** From creation to assignment, of every task this run placed. */
  readonly latenciesMs: number[] = [];
  readonly #pool: string;
  readonly #remainingMs: RemainingTime;
  readonly #deps: MatcherDeps;
  readonly #limits: MatcherLimits;
  readonly #aside: SetAside;
  #agents: Map<string, AgentWithLedger> | undefined;
  #roster: Roster | undefined;
  /** Live ids of every ledger as loaded. A lagging index may list a task that an earlier run has placed. */
  readonly #live = new Set<string>();
  #running: RunningTask[] = [];
  /** Jobs whose tasks on agents have been counted, because a limit constraint asks. */
  readonly #counted = new Set<string>();
  /** Of these, jobs with a task that cannot be read: it may be where the limit matters, so they are not placed. */
  readonly #uncounted = new Set<string>();
  /** Assigned by this run, or found not to wait any more; the index may still list them. */
  readonly #settled = new Set<string>();
  #readAt = 0;
  /** Of the page read last, the entries that could not be read. */
  #unread = 0;
  /** Room that appears later is not seen by this run, however many pages it goes on to read. */
  #agentsReadAt = Number.POSITIVE_INFINITY;
  #assigned = 0;
  #rounds = 0;
  #conflicts = 0;
  /** Why the first agent was left out. */
  #refusal: unknown;

  constructor(pool: string, remainingMs: RemainingTime, deps: MatcherDeps) {
    this.#pool = pool;
    this.#remainingMs = remainingMs;
    this.#deps = deps;
    this.#limits = { ...defaultLimits, ...deps.limits };
    this.#aside = tellAside(deps.log, () => deps.meter.count('UnreadableInPool', 1));
  }

  async drain(): Promise<MatchReport> {
    const startedAt = this.#deps.clock();
    let limit = this.#limits.pendingLimit;
    let oldestPendingMs = 0;
    let waiting = 0;
    let complete = false;
    while (this.#remainingMs() > this.#limits.reserveMs) {
      const page = await this.#nextPage(limit);
      if (page.length > 0 && this.#agents === undefined) await this.#loadAgents();
      const rows = page.filter((row) => this.#isOpen(row));
      const oldest = rows.reduce((at, { createdAt }) => Math.min(at, createdAt), startedAt);
      oldestPendingMs = Math.max(oldestPendingMs, startedAt - oldest);
      const settledBefore = this.#settled.size;
      const placed = await this.#place(rows);
      waiting = placed.waiting;
      if (!placed.complete) break;
      if (page.length + this.#unread < limit) {
        complete = true;
        break;
      }
      if (this.#settled.size > settledBefore) continue;
      complete = limit >= this.#limits.maxPendingLimit;
      if (complete) break;
      limit = Math.min(limit * 2, this.#limits.maxPendingLimit);
    }
    // If nothing could be written at all, it was not the agents: let it end in the dead-letter queue and its alarm.
    if (this.#refusal !== undefined && this.#assigned === 0) throw this.#refusal;
    return {
      pool: this.#pool,
      assigned: this.#assigned,
      waiting,
      rounds: this.#rounds,
      conflicts: this.#conflicts,
      durationMs: this.#deps.clock() - startedAt,
      readAt: Math.min(this.#readAt, this.#agentsReadAt),
      oldestPendingMs,
      complete,
    };
  }

  /** The waiting tasks, once no more are pouring in (or the wait for that is over). */
  async #nextPage(limit: number): Promise<readonly PendingRow[]> {
    const { store, sleep = pause } = this.#deps;
    const { burstTasks, burstGrowth, burstLookMs, burstWaitMs } = this.#limits;
    this.#readAt = this.#deps.clock();
    const page = await this.#listPending(limit);
    let seen = page.length;
    if (seen < burstTasks || seen >= limit) return page;
    for (let waitedMs = 0; waitedMs < burstWaitMs; waitedMs += burstLookMs) {
      await sleep(burstLookMs);
      const count = await store.countPending(this.#pool);
      if (count < seen + burstGrowth) break;
      seen = count;
    }
    if (seen <= page.length) return page;
    this.#readAt = this.#deps.clock();
    const agents = this.#agents === undefined ? this.#loadAgents() : undefined;
    const [whole] = await Promise.all([this.#listPending(limit), agents]);
    return whole;
  }

  /** What cannot be read is left out: one row must not cost a pool its matching. */
  #listPending(limit: number): Promise<readonly PendingRow[]> {
    this.#unread = 0;
    return this.#deps.store.listPending(this.#pool, limit, (row) => {
      this.#unread++;
      this.#aside(row);
    });
  }

  /** Plans and commits one page until nothing is refused any more. */
  async #place(page: readonly PendingRow[]): Promise<{ waiting: number; complete: boolean }> {
    if (page.length === 0) return { waiting: 0, complete: true };
    let rows = page;
    for (let round = 0; round < this.#limits.maxRounds; round++) {
      if (this.#remainingMs() <= this.#limits.reserveMs) return { waiting: rows.length, complete: false };
      this.#rounds++;
      await this.#countRunning(rows);
      const byId = new Map(rows.map((row) => [row.taskId, row]));
      const plan = this.#plan(rows);
      const refused = await this.#commit(plan, byId);
      rows = rows.filter((row) => this.#isOpen(row));
      if (refused === 0) {
        await this.#writeReasons(plan, byId);
        return { waiting: rows.length, complete: true };
      }
      this.#conflicts += refused;
    }
    return { waiting: rows.length, complete: false };
  }

  /** A convenience for people, written anew by the next run: never worth failing this one. */
  async #writeReasons(plan: PlacementPlan, byId: ReadonlyMap<string, PendingRow>): Promise<void> {
    try {
      await this.#deps.reasons.write(plan.unplaced, byId);
    } catch (error) {
      this.#deps.log.warn('why tasks wait could not be written', { pool: this.#pool, error });
    }
  }

  async #loadAgents(): Promise<void> {
    this.#agentsReadAt = this.#deps.clock();
    const { store } = this.#deps;
    const [agents, roster] = await Promise.all([store.loadPool(this.#pool, this.#aside), store.getRoster()]);
    this.#roster = roster;
    this.#agents = new Map(agents.map((entry) => [entry.agent.agentId, entry]));
    for (const { ledger } of agents) this.#noteLive(ledger);
  }

  #noteLive({ live }: Ledger): void {
    for (const id of live) this.#live.add(id);
  }

  /** Still to be placed, as far as this run knows. */
  #isOpen({ taskId }: PendingRow): boolean {
    return !this.#settled.has(taskId) && !this.#live.has(liveId(taskId));
  }

  /** Counts the tasks on agents of jobs with a limit constraint, each job once. */
  async #countRunning(rows: readonly PendingRow[]): Promise<void> {
    const jobs = limitedJobs(rows).filter((key) => !this.#counted.has(jobPath(key)));
    for (const key of jobs) this.#counted.add(jobPath(key));
    const { running, uncounted } = await loadRunning(jobs, this.#deps.store, this.#aside);
    this.#running.push(...running);
    for (const path of uncounted) this.#uncounted.add(path);
  }

  #plan(rows: readonly PendingRow[]): PlacementPlan {
    const countable = rows.filter(
      ({ key }) => this.#uncounted.size === 0 || !this.#uncounted.has(jobPath(key)),
    );
    const pending = countable.map((row) => ({
      taskId: row.taskId,
      jobPath: jobPath(row.key),
      role: row.key.role,
      instance: row.instance,
      priority: row.priority,
      createdAt: row.createdAt,
      resources: row.resources,
      constraints: row.constraints,
    }));
    const { silentAfterMs = defaultSilentAfterMs } = this.#deps;
    const agents = [...(this.#agents?.values() ?? [])].map(({ agent, ledger }) => {
      const { presence } = presenceOf(agent, this.#roster, silentAfterMs);
      return { agent: { ...agent, presence }, ledger };
    });
    const snapshot = { agents, pending, running: this.#running };
    return planPlacement(snapshot, this.#deps.clock());
  }

  /** Commits every assignment; answers how many agents were refused theirs. */
  async #commit(plan: PlacementPlan, byId: ReadonlyMap<string, PendingRow>): Promise<number> {
    const inputs = plan.assignments.flatMap((assignment): CommitInput[] => {
      const entry = this.#agents?.get(assignment.agentId);
      return entry ? [{ assignment, ledger: entry.ledger, rows: byId }] : [];
    });
    const groups = groupForTransactions(inputs);
    const results = await mapLimit(groups, this.#limits.commitsAtOnce, (group) => this.#commitGroup(group));
    return results.reduce((sum, refused) => sum + refused, 0);
  }

  async #commitGroup(group: readonly CommitInput[]): Promise<number> {
    const together = group.length > 1 ? await commitTogether(group, this.#times(), this.#deps.store) : [];
    let refused = 0;
    for (const [index, input] of group.entries()) {
      const result = together[index];
      refused += await (result ? this.#apply(input, result) : this.#commitAlone(input));
    }
    return refused;
  }

  /** A large plan takes seconds to commit: each transaction says when it was sent. */
  #times(): CommitTimes {
    const now = this.#deps.clock();
    const { timeouts } = this.#deps;
    return { now, deadlineAt: now + timeouts.ASSIGNED, lookAt: reminderAt(now, timeouts) };
  }

  async #commitAlone(input: CommitInput): Promise<number> {
    try {
      return await this.#apply(input, await commitAssignment(input, this.#times(), this.#deps.store));
    } catch (error) {
      return this.#failed(input.assignment.agentId, error);
    }
  }

  /** 1 if something was refused, else 0. */
  async #apply(input: CommitInput, result: CommitResult): Promise<number> {
    const { agentId } = input.assignment;
    const entry = this.#agents?.get(agentId);
    if (entry) this.#agents?.set(agentId, { ...entry, ledger: result.ledger });
    const now = this.#deps.clock();
    for (const row of result.committed) {
      this.#settle(row, agentId);
      this.latenciesMs.push(Math.max(0, now - row.createdAt));
    }
    if (result.committed.length > 0) {
      const taskIds = result.committed.map(({ taskId }) => taskId);
      this.#deps.log.info('tasks assigned', { agentId, taskIds });
    }
    for (const taskId of result.gone) this.#settled.add(taskId);
    if (result.stale) await this.#refresh(agentId);
    return result.stale || result.gone.length > 0 ? 1 : 0;
  }

  /**
   * One agent must not cost the pool its wake-up, which would be hidden for minutes and all later ones behind it: rows
   * that are throttled are tried again, an agent whose assignment is refused for good is left out. Counts as refused.
   */
  async #failed(agentId: string, error: unknown): Promise<number> {
    if (isBorealisError(error, 'THROTTLED')) {
      await backOff(this.#rounds);
      await this.#refresh(agentId);
    } else if (isBorealisError(error, 'INTERNAL')) {
      this.#deps.log.error('an assignment was refused for good; its agent is left out', { agentId, error });
      this.#deps.meter.count('AssignFailures', 1);
      this.#agents?.delete(agentId);
      this.#refusal ??= error;
    } else {
      throw error;
    }
    return 1;
  }

  #settle(row: PendingRow, agentId: string): void {
    this.#assigned++;
    this.#settled.add(row.taskId);
    const path = jobPath(row.key);
    if (this.#counted.has(path)) this.#running.push({ jobPath: path, agentId });
  }

  async #refresh(agentId: string): Promise<void> {
    const entry = await this.#deps.store.getAgent(agentId);
    if (entry) this.#noteLive(entry.ledger);
    if (entry && entry.agent.pool === this.#pool) this.#agents?.set(agentId, entry);
    else this.#agents?.delete(agentId);
  }
}
