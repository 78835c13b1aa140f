// What the commits so far say of each agent, and what must hold of it at every one: no agent over its capacity, no port
// given twice, and a ledger that holds the tasks on the agent and adds up.
import type { Agent, Ledger } from '../../../shared/model/agent.ts';
import { liveId } from '../../../shared/model/job-key.ts';
import { isOnAgent, type Task } from '../../../shared/model/task.ts';
import { Violation } from './violation.ts';

const resourceNames = ['cpuMilli', 'ramMb', 'diskMb'] as const;
type Amounts = Record<(typeof resourceNames)[number], number>;

const nothing = (): Amounts => ({ cpuMilli: 0, ramMb: 0, diskMb: 0 });

export class AgentBooks {
  readonly agentId: string;
  agent?: Agent | undefined;
  ledger?: Ledger | undefined;
  readonly onAgent = new Map<string, Task>();
  /** Every task it was ever given, by live id. */
  readonly given = new Map<string, Task>();
  /** Most of each resource it ever registered: what is running may stay when a machine shrinks. */
  readonly #most = nothing();
  /** When it was last being emptied. */
  #emptiedAt = Number.NEGATIVE_INFINITY;

  constructor(agentId: string) {
    this.agentId = agentId;
  }

  agentChanged(agent: Agent): void {
    if (isEmptied(agent) || (this.agent && isEmptied(this.agent))) this.#emptiedAt = Date.now();
    this.agent = agent;
    for (const name of resourceNames) this.#most[name] = Math.max(this.#most[name], agent.capacity[name]);
  }

  ledgerChanged(ledger: Ledger): void {
    if (this.ledger && ledger.version <= this.ledger.version)
      throw new Violation(`ledger of ${ledger.agentId} went back a version`);
    this.ledger = ledger;
  }

  /** Its rows are gone: it was lost, and had nothing. If it returns it is new. */
  forgotten(): void {
    const [held] = this.onAgent.keys();
    if (held !== undefined) throw new Violation(`${this.agentId} was forgotten while ${held} is on it`);
    if (this.agent?.lostAt === undefined) throw new Violation(`${this.agentId} was forgotten and not lost`);
    this.agent = undefined;
    this.ledger = undefined;
  }

  /** A row of a task that it has or had; `fresh` is absent if the row is gone. */
  taskChanged(task: Task, fresh: Task | undefined): void {
    this.given.set(liveId(task.taskId), task);
    if (task === fresh && isOnAgent(task.state)) this.onAgent.set(task.taskId, task);
    else this.onAgent.delete(task.taskId);
  }

  /** Is it being emptied, or was it a moment ago, when a pass read it? */
  isBeingEmptied(): boolean {
    if (this.agent && isEmptied(this.agent)) return true;
    return Date.now() - this.#emptiedAt < longestPassMs;
  }

  check(): void {
    const { agent, ledger } = this;
    if (!agent || !ledger) return;
    this.#checkTasks(ledger);
    const used = sumOf(this.onAgent.values());
    for (const name of resourceNames) {
      const most = this.#most[name];
      if (used[name] > most)
        throw new Violation(`${this.agentId} is over its ${name}: ${used[name]} of ${most}`);
    }
    this.#checkSum(agent, ledger);
  }

  #checkTasks(ledger: Ledger): void {
    const ports = new Set<number>();
    const live = new Set(ledger.live);
    for (const { taskId, grant } of this.onAgent.values()) {
      for (const port of Object.values(grant?.ports ?? {})) {
        if (ports.has(port)) throw new Violation(`port ${port} of ${this.agentId} is given twice`);
        ports.add(port);
      }
      if (!live.has(liveId(taskId)))
        throw new Violation(`${taskId} is on ${this.agentId} but not in its ledger`);
    }
  }

  #checkSum({ capacity }: Agent, ledger: Ledger): void {
    const held = sumOf(
      ledger.live.map((id) => {
        const task = this.given.get(id);
        if (task) return task;
        throw new Violation(`ledger of ${this.agentId} holds ${id}, which it was never given`);
      }),
    );
    const adds =
      capacity.cpuMilli - held.cpuMilli === ledger.freeCpuMilli &&
      capacity.ramMb - held.ramMb === ledger.freeRamMb &&
      capacity.diskMb - held.diskMb === ledger.freeDiskMb;
    if (adds) return;
    throw new Violation(
      `ledger of ${this.agentId} does not add up: ${JSON.stringify({ ledger, held, capacity })}`,
    );
  }
}

/** A pass of the drainer takes no longer than this, ms. */
const longestPassMs = 130_000;

/** Being emptied, or empty because somebody asked for it. */
export function isEmptied({ mode }: Agent): boolean {
  return mode === 'DRAINING' || mode === 'DRAINED';
}

function sumOf(tasks: Iterable<Task>): Amounts {
  const sum = nothing();
  for (const { resources } of tasks) for (const name of resourceNames) sum[name] += resources[name];
  return sum;
}
