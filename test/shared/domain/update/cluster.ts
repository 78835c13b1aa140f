// A tiny cluster for the update engine: real task rows moved by the real task machine, agents that die and come back,
// versions that misbehave, and a store in which an update's actions land, are lost, are repeated or come late.
import { applyTransition } from '../../../../shared/domain/task/apply.ts';
import { createTask } from '../../../../shared/domain/task/successor.ts';
import { timedOut } from '../../../../shared/domain/task/timeouts.ts';
import type { UpdateAction } from '../../../../shared/domain/update/act.ts';
import type { InstanceView } from '../../../../shared/domain/update/newest-task.ts';
import { isActive, isOnAgent, type Task, type TaskState } from '../../../../shared/model/task.ts';
import { at, countingIds, sampleConfig } from '../task/sample-task.ts';
import { job } from './sample-update.ts';

/** How a version behaves. `crash` fails 20 s into RUNNING, `late` only after ten; `exit` at once. */
export type Behaviour = 'good' | 'crash' | 'exit' | 'sick' | 'late' | 'unplaceable';

export class Cluster {
  now = 1000;
  readonly rows = new Map<number, Task[]>();
  readonly agents: { alive: boolean }[];
  /** No new placements while set. */
  full = false;
  /** Faults have ended for good. */
  healed = false;
  readonly #behaviour: (configId: string, instance: number) => Behaviour;
  readonly #ids = countingIds();

  constructor(agents: number, behaviour: (configId: string, instance: number) => Behaviour) {
    this.agents = Array.from({ length: agents }, () => ({ alive: true }));
    this.#behaviour = behaviour;
  }

  /** Runs a config in an instance, healthy since long ago. */
  install(instance: number, configId: string): void {
    const made = this.#create(instance, 1, configId);
    const agentId = `agent-${instance % this.agents.length}`;
    const events = (['PENDING', 'ASSIGNED', 'RUNNING'] as const).map((state) => ({ state, at: 0 }));
    this.rows.set(instance, [{ ...made, ...placed(agentId), state: 'RUNNING', events, createdAt: 0 }]);
  }

  #create(instance: number, generation: number, configId: string): Task {
    const config = { ...sampleConfig, service: true };
    return createTask({ job, instance, generation, configId, spec: 1, config, now: this.now }, this.#ids);
  }

  views(instances: Iterable<number>): InstanceView[] {
    return Array.from(instances, (instance) => ({ instance, tasks: this.rows.get(instance) ?? [] }));
  }

  newest(instance: number): Task | undefined {
    return this.rows.get(instance)?.at(-1);
  }

  isUp(instance: number): boolean {
    return this.newest(instance)?.state === 'RUNNING';
  }

  /** The config of the live task of an instance. */
  configOf(instance: number): string | undefined {
    const newest = this.newest(instance);
    return newest && isActive(newest.state) ? newest.configId : undefined;
  }

  /** Carries out an action as the store would: by the id of the task, or on condition that the row does not exist. */
  perform(action: UpdateAction): void {
    if (action.kind === 'KILL') {
      const found = this.rows.get(action.instance)?.find(({ taskId }) => taskId === action.taskId);
      if (found && isActive(found.state)) this.move(found, 'KILLING', action.message);
      return;
    }
    const rows = this.rows.get(action.instance) ?? [];
    if (rows.some(({ generation }) => generation === action.generation)) return;
    this.rows.set(action.instance, [
      ...rows,
      this.#create(action.instance, action.generation, action.configId),
    ]);
    this.check();
  }

  /** A transition of one task, with its successor; refusals change nothing. */
  move(task: Task, to: TaskState, message?: string): void {
    const input = { ...at(this.now, message === undefined ? {} : { message }), ...this.#placeFor(task) };
    const plan = applyTransition(task, to, input, { ids: this.#ids, random: () => 0.5 });
    const rows = (this.rows.get(task.instance) ?? []).flatMap((row) => {
      if (row.taskId !== task.taskId) return [row];
      return plan.remove ? [] : [plan.next ?? row];
    });
    this.rows.set(task.instance, plan.successor ? [...rows, plan.successor] : rows);
    this.check();
  }

  /** Instances are spread over the agents that are alive. */
  #placeFor({ instance }: Task) {
    const alive = this.agents.flatMap((agent, index) => (agent.alive ? [index] : []));
    return placed(`agent-${alive[instance % alive.length] ?? 0}`);
  }

  /** Never two live tasks of one instance, whatever is done to it. */
  check(): void {
    for (const [instance, rows] of this.rows) {
      const live = rows.filter(({ state }) => isActive(state));
      if (live.length > 1) throw new Error(`instance ${instance} has ${live.length} live tasks`);
    }
  }

  active(): Task[] {
    return [...this.rows.values()].flat().filter(({ state }) => isActive(state));
  }

  /** Lets time pass and every task take its next step, if `picks` chooses it. */
  step(passMs: number, picks: (instance: number) => boolean = () => true): void {
    this.now += passMs;
    for (const task of this.active()) {
      const overdue = timedOut(task, this.now);
      if (overdue) this.move(task, overdue.to, overdue.message);
      else if (picks(task.instance)) this.#advance(task);
    }
  }

  #advance(task: Task): void {
    if (isOnAgent(task.state) && !this.agentOf(task)?.alive) return;
    const to = this.#nextState(task);
    if (to) this.move(task, to);
  }

  #nextState({ state, configId, instance, events }: Task): TaskState | undefined {
    const behaviour = this.#behaviour(configId, instance);
    const ranMs = this.now - (events.at(-1)?.at ?? this.now);
    if (state === 'PENDING') return this.#fits(behaviour) ? 'ASSIGNED' : undefined;
    if (state === 'STARTING' && behaviour === 'sick') return undefined;
    if (state === 'STARTING') return behaviour === 'exit' ? 'FAILED' : 'RUNNING';
    if (state === 'RUNNING') {
      const crashes =
        (behaviour === 'crash' && ranMs >= 20_000) || (behaviour === 'late' && ranMs >= 600_000);
      return crashes ? 'FAILED' : undefined;
    }
    return nextStates[state];
  }

  #fits(behaviour: Behaviour): boolean {
    if (behaviour === 'unplaceable' && !this.healed) return false;
    return !this.full && this.agents.some(({ alive }) => alive);
  }

  agentOf({ agentId }: Task): { alive: boolean } | undefined {
    return this.agents[Number(agentId?.slice('agent-'.length))];
  }

  /** The agent dies: its tasks are partitioned now and lost by their deadline. */
  killAgent(index: number): void {
    const agent = this.agents[index % this.agents.length];
    if (!agent) return;
    agent.alive = false;
    for (const task of this.active()) {
      if (this.agentOf(task) === agent && isOnAgent(task.state)) this.move(task, 'PARTITIONED');
    }
  }

  /** All faults end: room for everything, every agent back. Bad versions stay bad. */
  heal(): void {
    this.healed = true;
    this.full = false;
    for (const agent of this.agents) agent.alive = true;
  }
}

/** What a healthy agent makes of a task, whatever its version. */
const nextStates: Readonly<Partial<Record<TaskState, TaskState>>> = {
  ASSIGNED: 'STARTING',
  PARTITIONED: 'RUNNING',
  KILLING: 'KILLED',
  DRAINING: 'KILLED',
  RESTARTING: 'KILLED',
  PREEMPTING: 'KILLED',
};

function placed(agentId: string) {
  return { agentId, grant: { gpus: [], ports: { http: 31_000 } } };
}
