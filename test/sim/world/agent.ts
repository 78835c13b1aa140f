// A simulated machine with its agent: speaks the wire protocol, decides with the real agent's reconcile, and keeps on
// its disk what the real one keeps there. Tasks are processes of the machine: they outlive the agent process, not the
// machine, and nothing outlives the disk.
import { killMessage, shutdownMessage, statusOfDeadRunner } from '../../../agent/executor/exit-status.ts';
import {
  type Absences,
  type KnownTask,
  noAbsences,
  planReconcile,
  type ReconcileInput,
} from '../../../agent/loop/reconcile.ts';
import { idleTurns } from '../../../agent/options.ts';
import type { Offer } from '../../../shared/model/agent.ts';
import {
  type AgentCommand,
  agentCommandSchema,
  type DesiredTasks,
  desiredPageSchema,
  joinDesired,
  type TaskLaunch,
  type TaskStatus,
} from '../../../shared/model/protocol.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface AgentNetwork {
  /** Sends a report to the intake queue, a heartbeat to theirs. */
  send(agent: SimAgent, body: string, isHeartbeat: boolean, done: (isAccepted: boolean) => void): void;
  /** GET /agents/{agentId}/tasks?session=...; undefined without an answer. */
  desired(agent: SimAgent, done: (answer: { status: number; body: unknown } | undefined) => void): void;
  /** Takes commands that wait; each is deleted by `done`. */
  receive(agent: SimAgent): readonly { readonly body: string; readonly ack: () => void }[];
}

export interface AgentObserver {
  started(agent: SimAgent, launch: TaskLaunch): void;
  ended(agent: SimAgent, taskId: string): void;
  /** The control plane wants a live process ended. */
  killed(agent: SimAgent, taskId: string): void;
}

export interface AgentTimings {
  readonly heartbeatMs: number;
  readonly registerMs: number;
  readonly reconcileMs: number;
}
export const realTimings: AgentTimings = { heartbeatMs: 40_000, registerMs: 600_000, reconcileMs: 15_000 };

/** How a task behaves, as its config's metadata says. */
interface Behaviour {
  readonly startMs: number;
  /** Absent = until it is killed. */
  readonly runMs?: number;
  readonly end: 'FINISHED' | 'FAILED';
  readonly killMs: number;
}

interface Report {
  readonly status: TaskStatus;
  isAccepted: boolean;
}

interface LocalTask {
  readonly launch: TaskLaunch;
  readonly reports: Report[];
  isKillRequested: boolean;
  isAlive: boolean;
  final?: TaskStatus;
  finalAcceptedAt?: number | undefined;
  last?: { readonly state: TaskStatus['state']; readonly acceptedAt?: number };
}

const flushMs = 50;
/** As in agent/loop/agent-loops.ts. */
const refusalsToStop = 2;
const [firstRetryMs, longestRetryMs] = [200, 10_000];
const mostStatuses = 100;

export class SimAgent {
  readonly offer: Offer;
  /** Two machines may use one agent id. */
  readonly machine: string;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #network: AgentNetwork;
  readonly #observer: AgentObserver;
  readonly #timings: AgentTimings;
  /** Ahead of the simulated time by so much, ms. */
  skewMs: number;
  isUp = false;
  /** The machine never returns. */
  isGone = false;
  isLinked = true;
  capacity: Offer['capacity'];
  // On disk:
  #tasks = new Map<string, LocalTask>();
  #finished = new Map<string, TaskStatus>();
  // Of the process:
  #session = 0;
  #absences: Absences = noAbsences;
  #waiting: { readonly status: TaskStatus; readonly onAccepted: () => void }[] = [];
  #isFlushing = false;
  /** Turns of the reconcile loop while idle. */
  #turns = 0;
  /** Answers in a row that another machine is this agent now. */
  #refusals = 0;

  constructor(
    offer: Offer,
    deps: {
      readonly scheduler: Scheduler;
      readonly random: Random;
      readonly network: AgentNetwork;
      readonly observer: AgentObserver;
      readonly timings: AgentTimings;
      readonly skewMs: number;
      /** Absent = the agent's id. */
      readonly machine?: string;
    },
  ) {
    this.offer = offer;
    this.capacity = offer.capacity;
    this.#scheduler = deps.scheduler;
    this.#random = deps.random;
    this.#network = deps.network;
    this.#observer = deps.observer;
    this.#timings = deps.timings;
    this.skewMs = deps.skewMs;
    this.machine = deps.machine ?? offer.agentId;
  }

  get sessionId(): string {
    return `${this.machine}-${this.#session}`;
  }

  get id(): string {
    return this.offer.agentId;
  }

  /** Task ids whose processes live on this machine now. */
  alive(): string[] {
    return [...this.#tasks.values()].filter(({ isAlive }) => isAlive).map(({ launch }) => launch.taskId);
  }

  /** Starts the agent process; what an earlier one left is taken over. */
  boot(): void {
    if (this.isUp || this.isGone) return;
    this.isUp = true;
    const session = ++this.#session;
    this.#absences = noAbsences;
    this.#waiting = [];
    this.#isFlushing = false;
    for (const task of this.#tasks.values()) {
      for (const report of task.reports) {
        if (!report.isAccepted) this.#queueReport(task, report);
      }
      if (!task.isAlive && !task.final) this.#end(task, statusOfDeadRunner(undefined));
    }
    this.#loop(session, this.#timings.registerMs, (again) => this.#register(again));
    this.#loop(session, this.#timings.heartbeatMs, () => {
      const tasks = [...this.#tasks.values()].filter(({ final }) => !final).length;
      this.#network.send(this, this.#envelope({ kind: 'heartbeat', tasks }), true, () => {});
    });
    this.#turns = 0;
    this.#refusals = 0;
    this.#loop(session, this.#timings.reconcileMs, () => {
      const isIdle = [...this.#tasks.values()].every(({ final }) => final);
      if (!isIdle || this.#turns++ % idleTurns === 0) this.#reconcile(session);
    });
    this.receiveSoon();
  }

  /** The agent process dies; its tasks go on. */
  crash(): void {
    this.isUp = false;
    this.#session++;
  }

  /** The agent is told to stop and to end its tasks (`killTasksOnStop`); it says so before it goes. */
  stop(): void {
    if (!this.isUp) return;
    for (const task of this.#tasks.values()) {
      if (task.isAlive) this.#endNow(task, { state: 'KILLED', message: shutdownMessage });
    }
    const session = this.#session;
    this.#scheduler.after(2_000, () => {
      if (session === this.#session) this.crash();
    });
  }

  /** The machine goes down: agent and tasks die, the disk stays. */
  powerOff(): void {
    this.crash();
    for (const task of this.#tasks.values()) this.#die(task);
  }

  /** The machine is replaced: nothing is left but its name. */
  wipe(): void {
    this.powerOff();
    this.#tasks = new Map();
    this.#finished = new Map();
  }

  /** Was told to end the task, or has ended it. */
  isEnding(taskId: string): boolean {
    const task = this.#tasks.get(taskId);
    return task === undefined || task.isKillRequested || !task.isAlive;
  }

  /** Has been told, when it last asked, that another machine is this agent now. */
  get isTurnedAway(): boolean {
    return this.#refusals > 0;
  }

  /** What it last said of the task, and when, by the true time. */
  said(taskId: string): { readonly state: TaskStatus['state']; readonly at: number } | undefined {
    const status = this.#tasks.get(taskId)?.reports.at(-1)?.status;
    return status && { state: status.state, at: status.at - this.skewMs };
  }

  /** Reports on a task as if it were its own. */
  forge(taskId: string): void {
    const status: TaskStatus = { taskId, state: 'FINISHED', at: this.now() };
    this.#send({ status, onAccepted: () => {} });
  }

  /** A command may have arrived. */
  receiveSoon(): void {
    const session = this.#session;
    this.#scheduler.after(this.#random.between(1, 200), () => {
      if (!this.isUp || session !== this.#session || !this.isLinked || this.#refusals > 0) return;
      for (const { body, ack } of this.#network.receive(this)) {
        this.#obey(agentCommandSchema.parse(JSON.parse(body)));
        ack();
      }
    });
  }

  relink(): void {
    this.isLinked = true;
    this.receiveSoon();
  }

  now(): number {
    return this.#scheduler.now + this.skewMs;
  }

  #loop(session: number, everyMs: number, work: (again: (delayMs: number) => void) => void): void {
    const tick = () => {
      if (session !== this.#session) return;
      work((delayMs) => this.#scheduler.after(delayMs, () => session === this.#session && work(() => {})));
      this.#scheduler.after(everyMs, tick);
    };
    // Machines do not tick together.
    this.#scheduler.after(this.#random.between(0, Math.min(everyMs, 5_000)), tick);
  }

  #envelope(rest: object): string {
    const { sessionId } = this;
    return JSON.stringify({ v: 1, agentId: this.id, sessionId, sentAt: this.now(), ...rest });
  }

  #register(again: (delayMs: number) => void): void {
    const offer = { ...this.offer, capacity: this.capacity };
    this.#network.send(this, this.#envelope({ kind: 'register', offer }), false, (isAccepted) => {
      if (!isAccepted) again(this.#random.between(firstRetryMs, 5_000));
    });
  }

  #reconcile(session: number): void {
    const asked = {
      requestedAt: this.now(),
      activeThen: new Set(this.#active().map(({ taskId }) => taskId)),
    };
    this.#network.desired(this, (answer) => {
      if (session !== this.#session || answer === undefined) return;
      this.#refusals = answer.status === 409 ? this.#refusals + 1 : 0;
      if (this.#refusals >= refusalsToStop) this.#giveWay();
      if (answer.status === 404) this.#register(() => {});
      if (answer.status !== 200) this.#turns = 0;
      else this.#follow(joinDesired([desiredPageSchema.parse(answer.body)]), asked);
    });
  }

  /** Running on would be running twice. */
  #giveWay(): void {
    for (const task of this.#tasks.values()) {
      if (!task.final) this.#kill(task.launch.taskId);
    }
  }

  #active(): KnownTask[] {
    return [...this.#tasks.values()].filter(({ final }) => !final).map(knownOf);
  }

  #follow(desired: DesiredTasks, asked: Pick<ReconcileInput, 'requestedAt' | 'activeThen'>): void {
    if (desired.tasks.length > 0) this.#turns = 0;
    const plan = planReconcile({
      desired,
      ...asked,
      active: this.#active(),
      endedTask: (taskId) => this.#endedTask(taskId),
      absences: this.#absences,
      resendAfterMs: this.#timings.reconcileMs,
      now: this.now(),
    });
    this.#absences = plan.absences;
    for (const launch of plan.start) this.#launch(launch);
    for (const taskId of [...plan.kill, ...plan.resend]) this.#kill(taskId);
    for (const taskId of plan.tell) this.#tell(taskId);
    for (const taskId of plan.lost) this.#giveUp(taskId);
  }

  #tell(taskId: string): void {
    const task = this.#tasks.get(taskId);
    if (!task?.last || task.final) return;
    const { state } = task.last;
    const onAccepted = () => {
      if (task.last?.state === state) task.last = { state, acceptedAt: this.now() };
    };
    this.#send({ status: { taskId, state, at: this.now() }, onAccepted });
  }

  #giveUp(taskId: string): void {
    if (this.#tasks.has(taskId) || this.#finished.has(taskId)) return;
    const final: TaskStatus = {
      taskId,
      state: 'LOST',
      at: this.now(),
      message: 'The agent knows nothing of it.',
    };
    this.#finished.set(taskId, final);
    this.#send({ status: final, onAccepted: () => {} });
  }

  #endedTask(taskId: string): KnownTask | undefined {
    const task = this.#tasks.get(taskId);
    if (task) return knownOf(task);
    const final = this.#finished.get(taskId);
    if (!final) return undefined;
    const isWaiting = this.#waiting.some(({ status }) => status.taskId === taskId);
    const ended = isWaiting ? {} : { acceptedAt: final.at };
    return { taskId, isKillRequested: false, ended };
  }

  #obey(command: AgentCommand): void {
    if (command.kind === 'reconcile') this.#reconcile(this.#session);
    else if (command.kind === 'launch') for (const launch of command.tasks) this.#launch(launch);
    else for (const taskId of command.taskIds) this.#kill(taskId);
  }

  #launch(launch: TaskLaunch): void {
    const { taskId } = launch;
    if (this.#tasks.has(taskId) || this.#finished.has(taskId)) return;
    const reports: Report[] = [];
    const task: LocalTask = {
      launch,
      reports,
      isKillRequested: false,
      isAlive: true,
    };
    this.#tasks.set(taskId, task);
    this.#observer.started(this, launch);
    const { startMs, runMs, end } = behaviourOf(launch);
    this.#scheduler.after(this.#random.between(1, 100), () => this.#say(task, 'STARTING'));
    this.#scheduler.after(100 + startMs, () => {
      if (!task.isKillRequested) this.#say(task, 'RUNNING');
    });
    if (runMs === undefined) return;
    this.#scheduler.after(200 + startMs + runMs, () => {
      if (task.isAlive) this.#endNow(task, { state: end, message: `behaved as ${end}` });
    });
  }

  /** A status of a live task. A dead machine says nothing; a dead agent process says it later, from the checkpoint. */
  #say(task: LocalTask, state: 'STARTING' | 'RUNNING'): void {
    if (!task.isAlive || task.final) return;
    const report = { status: { taskId: task.launch.taskId, state, at: this.now() }, isAccepted: false };
    task.reports.push(report);
    task.last = { state };
    this.#queueReport(task, report);
  }

  #kill(taskId: string): void {
    const task = this.#tasks.get(taskId);
    if (!task) {
      const known = this.#finished.get(taskId);
      const final: TaskStatus = known ?? { taskId, state: 'KILLED', at: this.now(), message: killMessage };
      this.#finished.set(taskId, final);
      this.#send({ status: final, onAccepted: () => {} });
      return;
    }
    if (task.final) {
      const { final } = task;
      task.finalAcceptedAt = undefined;
      const onAccepted = () => {
        task.finalAcceptedAt = this.now();
      };
      this.#send({ status: final, onAccepted });
      return;
    }
    if (task.isKillRequested) return;
    task.isKillRequested = true;
    if (task.isAlive) this.#observer.killed(this, taskId);
    this.#scheduler.after(behaviourOf(task.launch).killMs, () => {
      if (task.isAlive) this.#endNow(task, { state: 'KILLED', message: killMessage });
    });
  }

  #die(task: LocalTask): void {
    if (!task.isAlive) return;
    task.isAlive = false;
    this.#observer.ended(this, task.launch.taskId);
  }

  #endNow(task: LocalTask, end: Pick<TaskStatus, 'state' | 'message'>): void {
    this.#die(task);
    this.#end(task, end);
  }

  #end(task: LocalTask, { state, message }: Pick<TaskStatus, 'state' | 'message'>): void {
    const { taskId } = task.launch;
    task.final = { taskId, state, at: this.now(), ...(message !== undefined && { message }) };
    this.#finished.set(taskId, task.final);
    const report = { status: task.final, isAccepted: false };
    task.reports.push(report);
    this.#queueReport(task, report);
  }

  #queueReport(task: LocalTask, report: Report): void {
    if (!this.isUp) return;
    const onAccepted = () => {
      report.isAccepted = true;
      if (task.last?.state === report.status.state) task.last = { ...task.last, acceptedAt: this.now() };
      if (report.status === task.final) task.finalAcceptedAt = this.now();
    };
    this.#send({ status: report.status, onAccepted });
  }

  #send(entry: { readonly status: TaskStatus; readonly onAccepted: () => void }): void {
    if (!this.isUp) return;
    this.#waiting.push(entry);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#flush(this.#session, flushMs, firstRetryMs);
  }

  #flush(session: number, delayMs: number, retryMs: number): void {
    this.#scheduler.after(delayMs, () => {
      if (session !== this.#session) return;
      const batch = this.#waiting.slice(0, mostStatuses);
      if (batch.length === 0) {
        this.#isFlushing = false;
        return;
      }
      const statuses = batch.map(({ status }) => status);
      this.#network.send(this, this.#envelope({ kind: 'status', statuses }), false, (isAccepted) => {
        if (session !== this.#session) return;
        if (isAccepted) {
          this.#waiting = this.#waiting.slice(batch.length);
          for (const { onAccepted } of batch) onAccepted();
          this.#flush(session, flushMs, firstRetryMs);
        } else this.#flush(session, retryMs, Math.min(longestRetryMs, retryMs * 2));
      });
    });
  }
}

function knownOf(task: LocalTask): KnownTask {
  const { launch, isKillRequested, final, finalAcceptedAt, last } = task;
  return {
    taskId: launch.taskId,
    isKillRequested,
    ...(last && { last }),
    ...(final && { ended: finalAcceptedAt === undefined ? {} : { acceptedAt: finalAcceptedAt } }),
  };
}

function behaviourOf({ config }: TaskLaunch): Behaviour {
  const { start = '1000', run, end = 'FINISHED', kill = '1000' } = config.metadata;
  return {
    startMs: Number(start),
    ...(run !== undefined && { runMs: Number(run) }),
    end: end as Behaviour['end'],
    killMs: Number(kill),
  };
}
