// One whole update in simulated time: the real updater and engine on the real store, whose requests go to a model of
// DynamoDB in this process. Agents are delays. So an update of thousands of instances takes seconds, and every state of
// its executions and every request to the store is counted.

import { deriveEffects, type Effect } from '../../../functions/fanout/derive.ts';
import { createConfigCache } from '../../../functions/launch.ts';
import type { MessagePort } from '../../../functions/ports.ts';
import { createUpdateAlarms } from '../../../functions/updater/alarms.ts';
import type { UpdaterDeps } from '../../../functions/updater/deps.ts';
import { createInstanceReader } from '../../../functions/updater/read-instances.ts';
import { wakeUpdate } from '../../../functions/updater/wake-update.ts';
import { applyTransition } from '../../../shared/domain/task/apply.ts';
import { defaultFlapping } from '../../../shared/domain/task/flapping.ts';
import { defaultTimeouts } from '../../../shared/domain/task/timeouts.ts';
import { jobUnderUpdate } from '../../../shared/domain/update/follow-job.ts';
import { planUpdate } from '../../../shared/domain/update/start.ts';
import { contentId } from '../../../shared/lib/hash.ts';
import { isTerminal, type Task, type TaskState } from '../../../shared/model/task.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import {
  isTerminalUpdate,
  type UpdateRecord,
  type UpdateSettingsInput,
  type UpdateStatus,
} from '../../../shared/model/update.ts';
import type { DocumentSender } from '../../../shared/store/connection.ts';
import { createDynamoStore } from '../../../shared/store/dynamo-store.ts';
import type { Store } from '../../../shared/store/port.ts';
import { decodeStreamRecord } from '../../../shared/store/stream.ts';
import { notesTable, stateTable } from '../../../shared/store/tables.ts';
import { makeConfig, makeJob, makeTask, noGrant, suffix, t0 } from '../../contract/fixtures.ts';
import { MemoryDynamo, type StreamEntry } from '../../sim/model/memory-dynamo.ts';
import { FakeWorkflows } from './fake-workflows.ts';
import { FakeLog, FakeMeter } from './fakes.ts';

export interface UpdateRunOptions {
  readonly instances: number;
  readonly settings: UpdateSettingsInput;
  /** From PENDING to RUNNING, ms; undefined = never placed. */
  readonly startMs: (instance: number, generation: number) => number | undefined;
  /** Does a task of the new version end as FAILED instead of RUNNING? Default never. */
  readonly fails?: (task: Task) => boolean;
  /** Whatever else happens: at a time in ms after the start. */
  readonly incidents?: readonly {
    readonly atMs: number;
    readonly what: (run: RunningUpdate) => Promise<void>;
  }[];
  /** Default 1000. */
  readonly turnsPerExecution?: number;
  /** Simulated time after which the run is given up, ms. */
  readonly patienceMs?: number;
}

/** What an incident may use. */
export interface RunningUpdate {
  readonly store: Store;
  readonly update: UpdateRecord;
  /** Instances that are not up at this moment. */
  down(): number;
  /** The newest task of an instance. */
  newest(instance: number): Promise<Task>;
  /** Moves a task on as its agent or the sweeper would; its successor comes up like any other. */
  move(task: Task, to: TaskState): Promise<void>;
}

export interface UpdateRunReport {
  readonly update: UpdateRecord;
  /** The config each instance runs in the end, by instance. */
  readonly configs: readonly (string | undefined)[];
  readonly before: string;
  readonly after: string;
  /** States entered, over all executions. */
  readonly transitions: number;
  readonly executions: number;
  /** Of the execution with the longest history, counted from its states. */
  readonly mostHistoryEvents: number;
  /** Calls of the store by method's requests, and rows of tasks that were read. */
  readonly requests: number;
  readonly taskRowsRead: number;
  readonly simulatedMs: number;
  /** Evaluations that were asked for by messages and by alarms. */
  readonly wakes: number;
  /** Of these, by alarms. */
  readonly looks: number;
  /** Most instances that were not up at any moment. */
  readonly mostDown: number;
}

const historyEvents: Readonly<Record<string, number>> = {
  // Entered, scheduled, started, (submitted,) succeeded, exited; entered, exited.
  Verdict: 5,
  'Which way?': 2,
  'Forward batch': 6,
  'Roll back batch': 6,
  Watch: 2,
};

/** The history events that states bring with them; the execution itself has two, and its last state two. */
function historyOf(states: readonly string[]): number {
  return states.reduce((sum, state) => sum + (historyEvents[state] ?? 2), 4);
}

/** From the stream to the function. */
const deliveryMs = 50;
const killMs = 200;
const endedByAgents: readonly TaskState[] = ['KILLING', 'DRAINING', 'PREEMPTING', 'RESTARTING'];

/** Runs an update to its end; throws if it has none within its patience. */
export async function runUpdate(options: UpdateRunOptions): Promise<UpdateRunReport> {
  return new UpdateRun(options).run();
}

class UpdateRun implements RunningUpdate {
  readonly store: Store;
  update!: UpdateRecord;
  readonly #options: UpdateRunOptions;
  readonly #dynamo: MemoryDynamo;
  readonly #workflows: FakeWorkflows;
  readonly #deps: UpdaterDeps;
  readonly #agenda = new Agenda();
  readonly #job = makeJob({ name: 'run', reconciledVersion: 1 });
  readonly #down = new Set<number>();
  #now = t0;
  #entries: StreamEntry[] = [];
  #hints: Set<number> | undefined;
  #status: UpdateStatus = 'ROLLING_FORWARD';
  #requests = 0;
  #taskRowsRead = 0;
  #wakes = 0;
  #looks = 0;
  #mostDown = 0;
  #listens = false;

  constructor(options: UpdateRunOptions) {
    this.#options = options;
    const clock = () => this.#now;
    this.#dynamo = new MemoryDynamo({
      now: clock,
      onCommit: (_changes, entries) => void this.#entries.push(...entries),
    });
    this.#dynamo.createTable('state', stateTable);
    this.#dynamo.createTable('notes', notesTable);
    const client = { send: (command: object) => this.#send(command) } as unknown as DocumentSender;
    this.store = createDynamoStore({ client, stateTable: 'state', notesTable: 'notes', clock });
    this.#workflows = new FakeWorkflows(clock);
    this.#deps = {
      store: this.store,
      readInstances: createInstanceReader(this.#countingStore(), clock),
      configs: createConfigCache(this.store),
      workflows: this.#workflows,
      alarms: createUpdateAlarms(this.#timers(), 'timers', clock),
      turnsPerExecution: options.turnsPerExecution ?? 1000,
      timeouts: defaultTimeouts,
      flapping: defaultFlapping,
      clock,
      ids: suffix,
      random: () => 0.5,
      log: new FakeLog(),
      meter: new FakeMeter(),
    };
  }

  /** A queue whose messages come when they are due, and each makes a look at the update. */
  #timers(): MessagePort {
    return {
      send: async (_queueUrl, messages) => {
        for (const { delaySeconds = 0 } of messages) {
          this.#looks++;
          this.#agenda.add(this.#now + delaySeconds * 1000, () => this.#wake([]));
        }
      },
    };
  }

  async #send(command: object): Promise<unknown> {
    this.#requests++;
    const { input } = command as { readonly input: unknown };
    return this.#dynamo.execute(command.constructor.name.replace('Command', ''), input);
  }

  #countingStore(): Pick<Store, 'listTasks'> {
    return {
      listTasks: async (key, interval) => {
        const rows = await this.store.listTasks(key, interval);
        this.#taskRowsRead += rows.length;
        return rows;
      },
    };
  }

  async run(): Promise<UpdateRunReport> {
    const { before, after } = await this.#begin();
    const { patienceMs = 30 * 24 * 3600_000, incidents = [] } = this.#options;
    for (const { atMs, what } of incidents) this.#agenda.add(t0 + atMs, () => what(this));
    for (;;) {
      await this.#settle();
      if (isTerminalUpdate(this.#status) && this.#agenda.nextAt === Number.POSITIVE_INFINITY) break;
      this.#now = Math.max(this.#now, Math.min(this.#agenda.nextAt, this.#workflows.nextAt()));
      if (this.#now - t0 > patienceMs) {
        const stuck = await this.store.getUpdate(this.#job, this.update.updateId);
        throw new Error(`still ${this.#status}: ${JSON.stringify(stuck?.update.progress)}`);
      }
      for (const work of this.#agenda.take(this.#now)) await work();
    }
    return this.#report(before, after);
  }

  async #begin(): Promise<{ before: string; after: string }> {
    const { instances, settings } = this.#options;
    const [old, wanted] = [config(0), config(1)];
    const [before, after] = [contentId(old), contentId(wanted)];
    const all: [number, number] = [0, instances - 1];
    const job = {
      ...this.#job,
      desired: [{ instances: all, configId: before, since: 1 }],
      instanceSpan: instances,
    };
    await this.store.createJob({ job, configs: new Map([[before, old]]) });
    const { role, environment, name } = job;
    const events = (['PENDING', 'ASSIGNED', 'RUNNING'] as const).map((state) => ({ state, at: t0 - 1000 }));
    const tasks = Array.from({ length: instances }, (_none, instance) => {
      return makeTask({
        role,
        environment,
        name,
        instance,
        configId: before,
        state: 'RUNNING',
        events,
        ...placed,
      });
    });
    await this.store.insertTasks(tasks);
    const { update } = planUpdate({
      job,
      updateId: 'run',
      user: 'ann',
      current: [{ configId: before, instances: [all] }],
      proposed: [{ configId: after, instances: [all] }],
      settings,
      configs: { service: true, hasSlaPolicy: false, dedicated: false },
      instances: tasks.map((task) => ({ instance: task.instance, tasks: [task] })),
      now: t0,
    });
    if (!update) throw new Error('nothing to do');
    this.update = update;
    this.#entries = [];
    this.#listens = true;
    await this.store.createUpdate({
      update,
      job: { next: jobUnderUpdate({ job, update, cluster: 'local', now: t0 }), expected: job },
      configs: new Map([[after, wanted]]),
    });
    return { before, after };
  }

  /** Until nothing moves at this moment. */
  async #settle(): Promise<void> {
    for (;;) {
      const entries = this.#entries;
      this.#entries = [];
      for (const entry of entries) await this.#tell(entry);
      const moved = await this.#workflows.move(this.#deps);
      if (moved === 0 && this.#entries.length === 0) return;
    }
  }

  /** What the stream's consumer does, as far as updates go; and what agents do. */
  async #tell(entry: StreamEntry): Promise<void> {
    if (!this.#listens) return;
    const change = decodeStreamRecord(entry);
    for (const effect of deriveEffects(change, 'local', this.#now)) await this.#carryOut(effect);
    if (change.kind === 'update' && change.after) this.#status = change.after.status;
    if (change.kind === 'task' && change.after) this.#advance(change.after);
  }

  async #carryOut(effect: Effect): Promise<void> {
    if (effect.kind === 'startExecution') await this.#workflows.start(effect);
    if (effect.kind === 'wakeUpdate') this.#wakeSoon([]);
    if (effect.kind === 'instanceChanged' && !isTerminalUpdate(this.#status))
      this.#wakeSoon([effect.instance]);
  }

  /** News that come before the function has run are one call of it. */
  #wakeSoon(instances: readonly number[]): void {
    if (this.#hints) {
      for (const instance of instances) this.#hints.add(instance);
      return;
    }
    const hints = new Set(instances);
    this.#hints = hints;
    this.#agenda.add(this.#now + deliveryMs, () => {
      this.#hints = undefined;
      return this.#wake([...hints]);
    });
  }

  async #wake(hints: readonly number[]): Promise<void> {
    if (isTerminalUpdate(this.#status) && !this.#workflows.awaits()) return;
    this.#wakes++;
    await wakeUpdate(
      { key: this.#job, updateId: this.update.updateId, hints: hints.slice(0, 500) },
      this.#deps,
    );
  }

  #advance(task: Task): void {
    this.#count(task);
    if (endedByAgents.includes(task.state))
      this.#agenda.add(this.#now + killMs, () => this.move(task, 'KILLED'));
    if (task.state !== 'PENDING') return;
    const startMs = this.#options.startMs(task.instance, task.generation);
    if (startMs !== undefined) this.#agenda.add(this.#now + startMs, () => this.#start(task));
  }

  async #start(task: Task): Promise<void> {
    await this.move(task, 'ASSIGNED');
    const assigned = await this.newest(task.instance);
    if (assigned.taskId !== task.taskId || assigned.state !== 'ASSIGNED') return;
    await this.move(assigned, this.#options.fails?.(task) ? 'FAILED' : 'RUNNING');
  }

  #count({ instance, state }: Task): void {
    if (isTerminal(state)) return;
    if (state === 'RUNNING') this.#down.delete(instance);
    else this.#down.add(instance);
    this.#mostDown = Math.max(this.#mostDown, this.#down.size);
  }

  down(): number {
    return this.#down.size;
  }

  async newest(instance: number): Promise<Task> {
    const tasks = await this.store.listTasks(this.#job, [instance, instance]);
    const newest = tasks.toSorted((a, b) => a.generation - b.generation).at(-1);
    if (!newest) throw new Error(`instance ${instance} has no task`);
    return newest;
  }

  async move(task: Task, to: TaskState): Promise<void> {
    const { ids, random, timeouts, flapping } = this.#deps;
    const input = { now: this.#now, timeouts, flapping, ...(to === 'ASSIGNED' && placed) };
    const plan = applyTransition(task, to, input, { ids, random });
    if (plan.outcome !== 'SUCCESS') return;
    await this.store.transition({
      task,
      ...(plan.next && { next: plan.next }),
      ...(plan.successor && { successor: plan.successor }),
    });
  }

  async #report(before: string, after: string): Promise<UpdateRunReport> {
    const stored = await this.store.getUpdate(this.#job, this.update.updateId);
    const { instances } = this.#options;
    const tasks = await this.store.listTasks(this.#job, [0, instances - 1]);
    const configs: (string | undefined)[] = Array.from({ length: instances });
    for (const { instance, state, configId } of tasks) if (state === 'RUNNING') configs[instance] = configId;
    const states = Array.from(this.#workflows.executions.values(), (execution) => execution.states);
    return {
      update: stored?.update ?? this.update,
      configs,
      before,
      after,
      transitions: states.flat().length,
      executions: states.length,
      mostHistoryEvents: Math.max(...states.map(historyOf)),
      requests: this.#requests,
      taskRowsRead: this.#taskRowsRead,
      simulatedMs: this.#now - t0,
      wakes: this.#wakes,
      looks: this.#looks,
      mostDown: this.#mostDown,
    };
  }
}

const placed = { agentId: 'a1', grant: noGrant };

function config(priority: number): TaskConfig {
  return makeConfig({ priority });
}

type Work = () => Promise<void>;

/** Things to come, by time. */
class Agenda {
  readonly #times: number[] = [];
  readonly #works = new Map<number, Work[]>();

  get nextAt(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, work: Work): void {
    const known = this.#works.get(at);
    if (known) {
      known.push(work);
      return;
    }
    this.#works.set(at, [work]);
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    this.#times.splice(low, 0, at);
  }

  /** Everything due by now. */
  take(now: number): Work[] {
    const due: Work[] = [];
    while (this.nextAt <= now) {
      const at = this.#times.shift() ?? 0;
      due.push(...(this.#works.get(at) ?? []));
      this.#works.delete(at);
    }
    return due;
  }
}
