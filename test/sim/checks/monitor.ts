// Safety, checked at every commit to the store and every start of a process (design section 5): no state change that the
// specification does not know, no end that is not the end, one live task per instance and it is of the newest
// generation, no agent over its capacity, ledgers that add up, no task that runs in two places.

import { desiredCount } from '../../../shared/domain/job/desired.ts';
import type { MachineState } from '../../../shared/domain/task/transitions.ts';
import { canonicalJson } from '../../../shared/lib/hash.ts';
import type { Agent } from '../../../shared/model/agent.ts';
import { listInstances } from '../../../shared/model/instance-ranges.ts';
import type { Job } from '../../../shared/model/job.ts';
import { jobPath, liveId } from '../../../shared/model/job-key.ts';
import type { TaskLaunch } from '../../../shared/model/protocol.ts';
import { isActive, isOnAgent, isTerminal, type Task, type TaskState } from '../../../shared/model/task.ts';
import { decodeAgent, decodeLedger } from '../../../shared/store/codec/agent-row.ts';
import { decodeJob } from '../../../shared/store/codec/job-row.ts';
import { decodeTask } from '../../../shared/store/codec/task-row.ts';
import { agentPrefix, ledgerPrefix, taskPrefix } from '../../../shared/store/keys.ts';
import { specified } from '../../shared/domain/task/specified-table.ts';
import type { ItemChange } from '../model/memory-dynamo.ts';
import { backlogLimit } from '../world/functions.ts';
import { AgentBooks, isEmptied } from './agent-books.ts';
import { configPrefix, HistoryChecks, type HistoryRules } from './history.ts';
import { UpdateChecks } from './updates.ts';
import { Violation } from './violation.ts';

/** States in which a task should be running. */
const wanted: readonly TaskState[] = ['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED'];

/** What one commit touched. */
interface Touched {
  readonly tasks: [old: Task | undefined, fresh: Task | undefined][];
  readonly jobs: Set<string>;
  readonly agents: Set<string>;
}

/** Whoever counts what waits may see it so late, ms. */
const backlogKnownMs = 60_000;

export class Monitor {
  readonly tasks = new Map<string, Task>();
  readonly agents = new Map<string, AgentBooks>();
  /** `FROM>TO` pairs of the task machine that were committed. */
  readonly pairs = new Set<string>();
  readonly jobs = new Map<string, Job>();
  /** Agents that were declared lost at some time. */
  readonly lost = new Set<string>();
  /** Every machine is there all the time, so nobody may be declared lost. */
  forbidsLost = false;
  readonly updates = new UpdateChecks({
    tasksOf: (path, instance) => this.#instances.get(`${path}/${instance}`)?.values() ?? [],
    jobs: () => this.jobs,
  });
  readonly history: HistoryChecks;
  /** All rows of each instance, by task id. */
  readonly #instances = new Map<string, Map<string, Task>>();
  readonly #active = new Map<string, Map<string, Task>>();
  readonly #running = new Map<string, string>();
  /** Jobs whose users asked for ends, and agents to whose machine something was done. */
  readonly excused = new Set<string>();
  /** Instances of each job by all that users ask for together. */
  readonly mostInstances = new Map<string, number>();
  /** Agents that users took back into use. */
  readonly undrained = new Set<string>();
  /** Agents whose id another machine used as well. */
  readonly twinned = new Set<string>();
  /** Ends of running tasks that nobody asked for are violations. */
  forgivesLosses = false;
  /** Nothing but drains takes instances down, so their budgets hold to the letter. */
  checksDrainBudget = false;
  checks = 0;
  /** Raised here, thrown by the run after the step. */
  violation: Violation | undefined;

  constructor(rules: HistoryRules) {
    this.history = new HistoryChecks(rules);
  }

  onCommit(changes: readonly ItemChange[]): void {
    try {
      this.#commit(changes);
    } catch (error) {
      this.violation ??= error instanceof Violation ? error : new Violation(String(error));
    }
  }

  onStarted(agentId: string, { taskId }: TaskLaunch): void {
    this.checks++;
    const elsewhere = this.#running.get(taskId);
    if (elsewhere !== undefined) this.#raise(`${taskId} starts on ${agentId} while it runs on ${elsewhere}`);
    this.#running.set(taskId, agentId);
    const given = this.agents.get(agentId)?.given.has(liveId(taskId));
    if (!given) this.#raise(`${taskId} starts on ${agentId}, which was never given it`);
  }

  /** Whatever was lost, late or stale: no process is told to end while its row wants it to run. */
  onKilled(agentId: string, taskId: string): void {
    this.checks++;
    // An agent that another machine has followed ends what it runs.
    if (this.twinned.has(agentId)) return;
    const task = this.agents.get(agentId)?.given.get(liveId(taskId));
    if (task && wanted.includes(task.state))
      this.#raise(`${taskId} is told to end on ${agentId} while it is ${task.state}`);
  }

  onEnded(agentId: string, taskId: string): void {
    if (this.#running.get(taskId) === agentId) this.#running.delete(taskId);
  }

  #raise(message: string): void {
    this.violation ??= new Violation(message);
  }

  #commit(changes: readonly ItemChange[]): void {
    const touched: Touched = { tasks: [], jobs: new Set(), agents: new Set() };
    for (const change of changes) if (change.table === 'state') this.#rowChanged(change, touched);
    this.updates.onCommit(changes, touched.jobs);
    for (const [old, fresh] of touched.tasks) this.updates.onTask(old, fresh);
    const ended = new Map(
      touched.tasks.flatMap(([old, fresh]) => (hasEnded(old, fresh) ? [[old.taskId, fresh]] : [])),
    );
    for (const [old, fresh] of touched.tasks) if (!old && fresh) this.#checkMade(fresh, ended);
    const instances = new Set(touched.tasks.map(([old, fresh]) => instanceOf((fresh ?? old) as Task)));
    for (const instance of instances) this.#checkInstance(instance);
    for (const agentId of touched.agents) {
      this.checks++;
      this.#books(agentId).check();
    }
  }

  #rowChanged(change: ItemChange, touched: Touched): void {
    const { pk, sk, before, after } = change;
    if (pk.startsWith('TOKEN#') && before && after) throw new Violation(`${pk} was carried out twice`);
    if (pk.startsWith(taskPrefix)) this.#taskRow(change, touched);
    else if (pk.startsWith('ROLE#')) this.#jobRow(change, touched);
    else if (pk.startsWith(configPrefix)) this.history.configChanged(pk, sk, after !== undefined, this.jobs);
    else if (sk.startsWith(agentPrefix)) {
      if (after) this.#agentRow(decodeAgent(after), touched);
      else this.#books(sk.slice(agentPrefix.length)).forgotten();
    } else if (after && sk.startsWith(ledgerPrefix)) {
      const ledger = decodeLedger(after);
      this.#books(ledger.agentId).ledgerChanged(ledger);
      touched.agents.add(ledger.agentId);
    }
  }

  #taskRow({ pk, sk, before, after, isExpiry = false }: ItemChange, touched: Touched): void {
    const id = `${pk} ${sk}`;
    const [old, fresh] = [this.tasks.get(id), after && decodeTask(after)];
    if ((old === undefined) !== (before === undefined)) throw new Violation(`${id} was changed unseen`);
    this.#taskChanged(id, old, fresh);
    this.history.taskChanged(old, fresh, isExpiry);
    touched.tasks.push([old, fresh]);
    for (const task of [old, fresh]) if (task?.agentId !== undefined) touched.agents.add(task.agentId);
  }

  #jobRow({ before, after, isExpiry = false }: ItemChange, touched: Touched): void {
    const [old, job] = [before && decodeJob(before), after && decodeJob(after)];
    const path = jobPath((job ?? old) as Job);
    touched.jobs.add(path);
    if (job) this.#checkAsked(this.jobs.get(path), job);
    if (job) this.jobs.set(path, job);
    else this.jobs.delete(path);
    if (!job) this.history.jobRemoved(old as Job, isExpiry);
    else {
      if (old) this.#jobChanged(old, job);
      else this.history.jobMade(job);
      this.#checkCarriedOut(old, job);
    }
  }

  /** No more than was asked for, each request counted once; and no more work while too much waits already. */
  #checkAsked(old: Job | undefined, fresh: Job): void {
    const count = desiredCount(fresh);
    const most = this.mostInstances.get(jobPath(fresh)) ?? Number.POSITIVE_INFINITY;
    if (count > most)
      throw new Violation(`job ${jobPath(fresh)} has ${count} instances, ${most} were asked for`);
    if (fresh.updateId !== undefined || count <= (old ? desiredCount(old) : 0)) return;
    const since = Date.now() - backlogKnownMs;
    const waiting = [...this.tasks.values()].filter(
      ({ state, events }) => state === 'PENDING' && (events.at(-1)?.at ?? since) < since,
    );
    if (waiting.length > backlogLimit)
      throw new Violation(`job ${jobPath(fresh)} is taken on while ${waiting.length} tasks wait`);
  }

  #agentRow(agent: Agent, touched: Touched): void {
    const { agentId, lostAt } = agent;
    const books = this.#books(agentId);
    this.#checkUse(books.agent, agent);
    books.agentChanged(agent);
    touched.agents.add(agentId);
    if (lostAt === undefined) return;
    this.lost.add(agentId);
    if (this.forbidsLost) throw new Violation(`${agentId} was declared lost`);
  }

  /** What was accepted stays accepted: versions only grow, and the desired state only changes with a new one. */
  #jobChanged(old: Job, fresh: Job): void {
    this.checks++;
    const path = jobPath(fresh);
    if (fresh.specVersion < old.specVersion || fresh.reconciledVersion < old.reconciledVersion) {
      throw new Violation(`job ${path} went back from version ${old.specVersion} to ${fresh.specVersion}`);
    }
    if (fresh.specVersion > old.specVersion + 1) throw new Violation(`job ${path} skipped a version`);
    if (
      fresh.specVersion === old.specVersion &&
      canonicalJson(fresh.desired) !== canonicalJson(old.desired)
    ) {
      throw new Violation(`job ${path} changed within version ${fresh.specVersion}`);
    }
  }

  /** What is said to be carried out is: each instance that was asked for has had its task. */
  #checkCarriedOut(old: Job | undefined, job: Job): void {
    const before = old?.reconciledVersion ?? 0;
    if (job.reconciledVersion === before || job.updateId !== undefined || old?.updateId !== undefined) return;
    this.checks++;
    for (const { instances, since } of job.desired) {
      if (since <= before || since > job.reconciledVersion) continue;
      const missing = listInstances([instances]).find(
        (instance) => !this.history.wasMade({ ...job, instance }, since),
      );
      if (missing === undefined) continue;
      throw new Violation(
        `job ${jobPath(job)} counts as carried out, but instance ${missing} was never made (wanted since ${since})`,
      );
    }
  }

  #taskChanged(id: string, old: Task | undefined, fresh: Task | undefined): void {
    this.checks++;
    if (fresh) this.tasks.set(id, fresh);
    else this.tasks.delete(id);
    for (const task of [old, fresh]) {
      if (!task) continue;
      const rows = this.#instances.get(instanceOf(task)) ?? new Map<string, Task>();
      this.#instances.set(instanceOf(task), rows);
      if (task === fresh) rows.set(task.taskId, task);
      else rows.delete(task.taskId);
      const active = this.#active.get(instanceOf(task)) ?? new Map<string, Task>();
      this.#active.set(instanceOf(task), active);
      if (task === fresh && isActive(task.state)) active.set(task.taskId, task);
      else active.delete(task.taskId);
      if (task.agentId === undefined) continue;
      this.#books(task.agentId).taskChanged(task, fresh);
    }
    if (old && fresh && old.taskId !== fresh.taskId)
      throw new Violation(`${old.taskId} was overwritten by ${fresh.taskId}`);
    this.#checkPath(old, fresh);
    this.#checkDrain(old, fresh);
    this.#checkLoss(old, fresh);
  }

  /** A task whose process lives on a machine that nobody touched is not ended without a user's wish. */
  #checkLoss(old: Task | undefined, fresh: Task | undefined): void {
    if (this.forgivesLosses || !old || !wanted.includes(old.state)) return;
    if (fresh && wanted.includes(fresh.state)) return;
    if (this.#running.get(old.taskId) === undefined) return;
    if (this.excused.has(jobPath(old)) || this.excused.has(old.agentId ?? '')) return;
    if (fresh && wasEndedForUpdate(fresh)) return;
    if (fresh?.state === 'DRAINING' && this.#books(old.agentId ?? '').isBeingEmptied()) return;
    throw new Violation(
      `${old.taskId} was ${old.state}, runs, and became ${fresh?.state ?? 'nothing'} without a reason`,
    );
  }

  /** Whatever is written of an agent that is emptied, it stays out of use until a user says otherwise. */
  #checkUse(old: Agent | undefined, fresh: Agent): void {
    if (!old || !isEmptied(old) || isEmptied(fresh) || this.undrained.has(fresh.agentId)) return;
    throw new Violation(`${fresh.agentId} was ${old.mode} and is in use again, which nobody asked for`);
  }

  /** Nothing new arrives on an agent that is not in use; what leaves it leaves within the job's budget. */
  #checkDrain(old: Task | undefined, fresh: Task | undefined): void {
    if (!old || !fresh || old.state === fresh.state) return;
    const { agent } = this.#books(fresh.agentId ?? '');
    if (old.state === 'PENDING' && fresh.state === 'ASSIGNED' && agent && isEmptied(agent)) {
      throw new Violation(`${fresh.taskId} was placed on ${agent.agentId}, which is ${agent.mode}`);
    }
    const { drain } = agent ?? {};
    if (!this.checksDrainBudget || !drain || old.state !== 'RUNNING' || fresh.state !== 'DRAINING') return;
    if (Date.now() >= drain.deadlineAt - 1_000) return;
    const newest = Map.groupBy(
      [...this.tasks.values()].filter((task) => jobPath(task) === jobPath(fresh) && isActive(task.state)),
      ({ instance }) => instance,
    );
    const down = [...newest.values()].filter((tasks) =>
      tasks.every(({ state }) => state !== 'RUNNING'),
    ).length;
    const most = Math.max(1, Math.floor(newest.size - (newest.size * drain.percentage) / 100 + 1e-9));
    if (down > most) {
      throw new Violation(
        `${fresh.taskId} is drained while ${down} of ${newest.size} instances are down, ${most} may be`,
      );
    }
  }

  /** Every step from the old row to the new one is in the specification's table. */
  #checkPath(old: Task | undefined, fresh: Task | undefined): void {
    if (old && !fresh) this.#checkRemoved(old);
    if (!fresh) return;
    const { taskId } = fresh;
    const isEnd = old !== undefined && isTerminal(old.state);
    if (isEnd && (fresh.state !== old.state || fresh.events.length !== old.events.length)) {
      throw new Violation(`${taskId} had ended as ${old.state} and became ${fresh.state}`);
    }
    let from: MachineState = old?.state ?? 'INIT';
    for (const to of stepsOf(old, fresh)) {
      if (from === to) continue;
      const effects = specified(from, to);
      // A kill of a task that no agent has removes it.
      if (effects === undefined || effects[0] === '!K' || effects.includes('D'))
        throw new Violation(`${taskId} went from ${from} to ${to}`);
      this.pairs.add(`${from}>${to}`);
      from = to;
    }
    if (from !== fresh.state)
      throw new Violation(`${taskId} is ${fresh.state} though its history ends at ${from}`);
  }

  #checkRemoved({ taskId, state }: Task): void {
    if (isOnAgent(state)) throw new Violation(`${taskId} was removed in state ${state}`);
    this.pairs.add(`${state}>${isTerminal(state) ? 'DELETED' : 'KILLING'}`);
  }

  #checkMade(task: Task, ended: ReadonlyMap<string, Task | undefined>): void {
    const { taskId, generation, ancestorId } = task;
    if (ancestorId !== undefined && !ended.has(ancestorId)) {
      throw new Violation(`${taskId} succeeds ${ancestorId}, which did not end in the same commit`);
    }
    if (ended.get(ancestorId ?? '')?.events.some(({ state }) => state === 'KILLING')) {
      throw new Violation(`${taskId} succeeds ${ancestorId}, which was killed`);
    }
    // An update makes an instance as often as it takes: on the way forward, on the way back; and what it ended and did
    // not replace before it was given up is made again.
    const isUpdating = this.jobs.get(jobPath(task))?.updateId !== undefined;
    const rows = [...(this.#instances.get(instanceOf(task))?.values() ?? [])].filter((row) => row !== task);
    const later = rows.find((row) => row.generation >= generation);
    if (later) throw new Violation(`${taskId} was made after ${later.taskId}`);
    const isRefill = rows.some((row) => row.generation === generation - 1 && wasEndedForUpdate(row));
    if (ancestorId !== undefined || isUpdating || isRefill) return;
    const same = this.history
      .madeFor(task)
      .find((other) => other.taskId !== taskId && other.spec >= task.spec);
    if (same) throw new Violation(`${taskId} was made although ${same.taskId} was made for the same request`);
  }

  #checkInstance(instance: string): void {
    this.checks++;
    const active = [...(this.#active.get(instance)?.values() ?? [])];
    if (active.length > 1) {
      const shown = active.map(({ taskId, state }) => `${taskId} ${state}`).join(', ');
      throw new Violation(`instance ${instance} has ${active.length} live tasks: ${shown}`);
    }
  }

  #books(agentId: string): AgentBooks {
    let books = this.agents.get(agentId);
    if (!books) {
      books = new AgentBooks(agentId);
      this.agents.set(agentId, books);
    }
    return books;
  }
}

/** Was it active before, and is not any more? */
function hasEnded(old: Task | undefined, fresh: Task | undefined): old is Task {
  return old !== undefined && isActive(old.state) && !(fresh && isActive(fresh.state));
}

function wasEndedForUpdate({ events }: Task): boolean {
  return events.some(({ message }) => message?.startsWith('Killed for job update'));
}

function instanceOf({ role, environment, name, instance }: Task): string {
  return `${role}/${environment}/${name}/${instance}`;
}

/** The states a write took the task through. */
function stepsOf(old: Task | undefined, fresh: Task | undefined): TaskState[] {
  if (!fresh) return [];
  if (!old) return fresh.events.map(({ state }) => state);
  const added = fresh.events.length - old.events.length;
  // A history may be shortened when a link comes and goes; then only the ends are known.
  if (added <= 0) return old.state === fresh.state ? [] : [fresh.state];
  return fresh.events.slice(-added).map(({ state }) => state);
}
