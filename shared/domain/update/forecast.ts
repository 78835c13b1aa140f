// What an update would do, batch by batch, if nothing else changed meanwhile: which tasks it would end, which it would
// create, and where each of those would be placed by the matcher's own core on the agents as they are, or why nowhere
// (design D4, D13). A batch is placed after its own take-downs have given their room back.
import { jobPath } from '../../model/job-key.ts';
import type { PendingReason } from '../../model/reason.ts';
import { isActive, isOnAgent, type Task } from '../../model/task.ts';
import type { TaskConfig } from '../../model/task-config.ts';
import type { UpdateRecord } from '../../model/update.ts';
import {
  type AgentSnapshot,
  type PendingTask,
  planPlacement,
  type RunningTask,
  release,
} from '../placement/index.ts';
import { groupsOf } from './batches.ts';
import { configLookup, orderOf } from './order.ts';

export interface ForecastInput {
  readonly update: UpdateRecord;
  /** The newest task of each instance of the job that has one. */
  readonly newest: ReadonlyMap<number, Task>;
  /** Every agent of each pool that a new task may go to, or that a task leaves. */
  readonly pools: ReadonlyMap<string, readonly AgentSnapshot[]>;
  readonly configOf: (configId: string) => TaskConfig;
  /** Epoch ms. */
  readonly now: number;
  /** Instances to look at, in the order of turns. */
  readonly most: number;
}

interface ForecastStep {
  readonly instance: number;
  /** From 1. */
  readonly batch: number;
  readonly kill?: Task;
  readonly create?: {
    readonly configId: string;
    /** Where it would go; else `reason` says why nowhere. */
    readonly agentId?: string;
    readonly reason?: PendingReason;
  };
}

export interface Forecast {
  readonly batches: number;
  readonly steps: ForecastStep[];
  /** Instances that were not looked at, because there are too many. */
  readonly unlisted: number;
}

/** A round looks at every agent of a pool; so many looks are made, in at least the first few batches. */
const mostAgentLooks = 1_000_000;
const leastRounds = 20;

/** Plays the way forward of an update through. */
export function forecastUpdate(input: ForecastInput): Forecast {
  const { update, newest, most } = input;
  const order = orderOf(update);
  const groups = groupsOf(update.settings.strategy, order.length);
  const desired = configLookup(update.desired);
  const fleet = new ForecastFleet(input);
  const rounds = Math.max(leastRounds, Math.floor(mostAgentLooks / Math.max(1, fleet.size)));
  const steps: ForecastStep[] = [];
  for (const [index, { start, end }] of groups.slice(0, rounds).entries()) {
    const instances = order.slice(start, Math.min(end, start + most - steps.length));
    if (instances.length === 0) break;
    const kills = instances.map((instance) => activeTask(newest.get(instance)));
    for (const task of kills) if (task) fleet.end(task);
    const asks = instances.flatMap((instance) => {
      const configId = desired(instance);
      return configId === undefined ? [] : [{ instance, configId }];
    });
    const places = fleet.place(asks);
    for (const [at, instance] of instances.entries()) {
      const kill = kills[at];
      const create = places.get(instance);
      steps.push({ instance, batch: index + 1, ...(kill && { kill }), ...(create && { create }) });
    }
  }
  return { batches: groups.length, steps, unlisted: order.length - steps.length };
}

function activeTask(task: Task | undefined): Task | undefined {
  return task && isActive(task.state) ? task : undefined;
}

interface Ask {
  readonly instance: number;
  readonly configId: string;
}
type Place = NonNullable<ForecastStep['create']>;

/** The agents as the update goes on. */
class ForecastFleet {
  readonly #input: ForecastInput;
  readonly #pools: ReadonlyMap<string, Map<string, AgentSnapshot>>;
  /** Agent of each task of the job, for its limit constraints. */
  readonly #running = new Map<string, RunningTask>();

  constructor(input: ForecastInput) {
    this.#input = input;
    this.#pools = new Map(
      Array.from(input.pools, ([pool, agents]) => [
        pool,
        new Map(agents.map((entry) => [entry.agent.agentId, entry])),
      ]),
    );
    const path = jobPath(input.update);
    for (const { taskId, state, agentId } of input.newest.values()) {
      if (isOnAgent(state) && agentId !== undefined) this.#running.set(taskId, { jobPath: path, agentId });
    }
  }

  get size(): number {
    return [...this.#pools.values()].reduce((sum, agents) => sum + agents.size, 0);
  }

  /** The task's resources are free again. */
  end(task: Task): void {
    this.#running.delete(task.taskId);
    const agents = this.#pools.get(task.pool);
    const entry = task.agentId === undefined ? undefined : agents?.get(task.agentId);
    if (!agents || !entry) return;
    const grant = task.grant ?? { gpus: [], ports: {} };
    const ledger = release(entry.ledger, task.resources, grant, task.taskId);
    agents.set(entry.agent.agentId, { ...entry, ledger });
  }

  /** Places the new tasks of one batch; they hold their room from then on. */
  place(asks: readonly Ask[]): Map<number, Place> {
    const places = new Map<number, Place>();
    const byPool = Map.groupBy(asks, ({ configId }) => this.#input.configOf(configId).pool);
    for (const [pool, inPool] of byPool) this.#placeIn(pool, inPool, places);
    return places;
  }

  #placeIn(pool: string, asks: readonly Ask[], places: Map<number, Place>): void {
    const agents = this.#pools.get(pool) ?? new Map<string, AgentSnapshot>();
    const pending = asks.map((ask) => this.#pendingTask(ask));
    const byId = new Map(asks.map((ask) => [newId(ask), ask]));
    const running = [...this.#running.values()];
    const plan = planPlacement({ agents: [...agents.values()], pending, running }, this.#input.now);
    const path = jobPath(this.#input.update);
    for (const { agentId, tasks, after } of plan.assignments) {
      const entry = agents.get(agentId);
      if (entry) agents.set(agentId, { ...entry, ledger: after });
      for (const { taskId } of tasks) {
        this.#running.set(taskId, { jobPath: path, agentId });
        const ask = byId.get(taskId);
        if (ask) places.set(ask.instance, { configId: ask.configId, agentId });
      }
    }
    for (const { taskId, reason } of plan.unplaced) {
      const ask = byId.get(taskId);
      if (ask) places.set(ask.instance, { configId: ask.configId, reason });
    }
  }

  #pendingTask(ask: Ask): PendingTask {
    const { update, now } = this.#input;
    const { priority, resources, constraints } = this.#input.configOf(ask.configId);
    const { instance } = ask;
    const { role } = update;
    return {
      taskId: newId(ask),
      jobPath: jobPath(update),
      role,
      instance,
      priority,
      createdAt: now,
      resources,
      constraints,
    };
  }
}

/** Not a real task's id: those have `~` in them. */
function newId({ instance }: Ask): string {
  return `new.${instance}`;
}

/** The pools that a forecast must know the agents of. */
export function poolsOf(
  update: Pick<UpdateRecord, 'desired'>,
  newest: ReadonlyMap<number, Task>,
  configOf: (configId: string) => TaskConfig,
): string[] {
  const entered = update.desired.map(({ configId }) => configOf(configId).pool);
  return [...new Set([...entered, ...[...newest.values()].map(({ pool }) => pool)])];
}
