// A long outage of the whole control plane over a large fleet that is at work, and the return of all machines at once.
// Nothing that runs may be ended, nobody may be declared lost, and everything that was asked for or has happened
// meanwhile must be caught up with, with no hand on it.
import type { Offer } from '../../shared/model/agent.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import { jobPath } from '../../shared/model/job-key.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { keptForever } from './checks/history.ts';
import { Monitor } from './checks/monitor.ts';
import { unsettled } from './checks/settled.ts';
import { Violation } from './checks/violation.ts';
import { simpleProcess } from './simple-process.ts';
import { realTimings } from './world/agent.ts';
import { World } from './world/world.ts';

export interface FleetOptions {
  readonly agents: number;
  readonly outageMs: number;
  /** Functions that may run at the same time in the account. */
  readonly concurrency: number;
}

/** Times are counted from the return, seconds. */
export interface FleetReport {
  readonly agents: number;
  readonly tasks: number;
  readonly outageHours: number;
  /** Ends and starts that happened on machines during the outage. */
  readonly endedMeanwhile: number;
  /** Most messages that waited for the intake at once. */
  readonly largestBacklog: number;
  readonly throttledCalls: number;
  readonly invocationsAfter: number;
  readonly secondsUntil: {
    /** No report waits any more. */
    readonly reportsTaken: number;
    /** The roll call trusts its ears again. */
    readonly silenceCounts: number;
    /** The job submitted when the API came back runs. */
    readonly newJobRuns: number;
    /** What ended meanwhile runs again, and all is as asked for. */
    readonly settled: number;
  };
  readonly declaredLost: number;
  readonly killed: number;
  readonly failure: string | undefined;
  readonly steps: number;
}

const minuteMs = 60_000;
const tasksPerAgent = 2;
const lookEveryMs = 1_000;
/** Looking at everything takes long. */
const lookCloselyEvery = 5;
/** As AGENT_LOST_AFTER_SECS is by default. */
const lostAfterMs = 90_000;
const patienceMs = 60 * minuteMs;

/** Runs it; a property that does not hold is in the report. */
export async function runFleet(options: FleetOptions): Promise<FleetReport> {
  return await new FleetRun(options).go();
}

class FleetRun {
  readonly #options: FleetOptions;
  readonly #monitor = new Monitor({ ...keptForever, maxSkewMs: 0 });
  readonly #world: World;
  #killed = 0;
  #ended = 0;
  #backlog = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    const monitor = this.#monitor;
    this.#world = new World({
      seed: `fleet of ${options.agents}`,
      faults: {
        seed: 'none',
        rates: { store: 0, write: 0, queue: 0, delivery: 0, index: 0, net: 0 },
        until: 0,
      },
      withLines: false,
      maxSkewMs: 50,
      maxLagMs: 20,
      maxLatencyMs: 15,
      timings: realTimings,
      keepsHeartbeats: true,
      concurrency: options.concurrency,
      onUnhandled: (error) => {
        monitor.violation ??= new Violation(`a promise failed that no function waited for: ${String(error)}`);
      },
      onCommit: (changes) => {
        monitor.onCommit(changes);
      },
      onStarted: (agentId, launch) => monitor.onStarted(agentId, launch),
      onEnded: (agentId, taskId) => {
        this.#ended++;
        monitor.onEnded(agentId, taskId);
      },
      onKilled: (agentId, taskId) => {
        this.#killed++;
        monitor.onKilled(agentId, taskId);
      },
    });
  }

  async go(): Promise<FleetReport> {
    const { agents, outageMs } = this.#options;
    const world = this.#world;
    const { scheduler } = world;
    let failure: string | undefined;
    let endedMeanwhile = 0;
    let invocationsBefore = 0;
    const times = { reportsTaken: -1, silenceCounts: -1, newJobRuns: -1, settled: -1 };
    try {
      await this.#begin();
      Object.assign(world.outage, { store: true, queues: true, functions: true, workflows: true });
      const endedBefore = this.#ended;
      await this.#until(scheduler.now + outageMs);
      endedMeanwhile = this.#ended - endedBefore;
      Object.assign(world.outage, { store: false, queues: false, functions: false, workflows: false });
      invocationsBefore = world.lambda.invocations;
      world.lambda.throttled = 0;
      await this.#recover(times);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      failure = error.message;
    }
    return {
      agents,
      tasks: agents * tasksPerAgent,
      outageHours: outageMs / 3600_000,
      endedMeanwhile,
      largestBacklog: this.#backlog,
      throttledCalls: world.lambda.throttled,
      invocationsAfter: world.lambda.invocations - invocationsBefore,
      secondsUntil: times,
      declaredLost: this.#monitor.lost.size,
      killed: this.#killed,
      failure,
      steps: scheduler.steps,
    };
  }

  #until(time: number): Promise<void> {
    return this.#world.scheduler.runUntil(time, () => {
      if (this.#monitor.violation) throw this.#monitor.violation;
    });
  }

  /** All machines register, all tasks run, all is quiet. */
  async #begin(): Promise<void> {
    const { agents } = this.#options;
    const world = this.#world;
    for (let index = 0; index < agents; index++) world.addAgent(offerOf(index), 0).boot();
    await this.#until(world.scheduler.now + 30_000);
    for (const job of jobsFor(agents)) {
      world.callApi({ method: 'POST', path: `/jobs/${jobPath(job)}`, body: job }, (answer) => {
        if (answer?.status !== 201 && answer?.status !== 202)
          this.#monitor.violation ??= new Violation(`a job is refused: ${JSON.stringify(answer)}`);
      });
    }
    for (let looks = 0; looks < 120; looks++) {
      await this.#until(world.scheduler.now + lookEveryMs);
      const running = [...this.#monitor.tasks.values()].filter(({ state }) => state === 'RUNNING').length;
      if (running === agents * tasksPerAgent) break;
    }
    await this.#until(world.scheduler.now + 3 * minuteMs);
    const problems = unsettled(world, this.#monitor);
    if (problems.length > 0)
      throw new Violation(`not settled before the outage: ${problems.slice(0, 3).join('; ')}`);
  }

  async #recover(times: {
    reportsTaken: number;
    silenceCounts: number;
    newJobRuns: number;
    settled: number;
  }): Promise<void> {
    const world = this.#world;
    const { scheduler } = world;
    const returnedAt = scheduler.now;
    world.callApi({ method: 'POST', path: `/jobs/${jobPath(newJob)}`, body: newJob }, () => {});
    const seconds = () => Math.round((scheduler.now - returnedAt) / 1000);
    const note = (name: keyof typeof times, isSo: boolean) => {
      if (isSo && times[name] < 0) times[name] = seconds();
    };
    let looks = 0;
    times.reportsTaken = 0;
    while (times.settled < 0 || times.silenceCounts < 0) {
      await this.#until(scheduler.now + lookEveryMs);
      looks++;
      const waiting = world.queues.get('intake')?.length ?? 0;
      this.#backlog = Math.max(this.#backlog, waiting);
      if (waiting > 0) times.reportsTaken = seconds();
      if (looks % lookCloselyEvery > 0) continue;
      note('silenceCounts', this.#isHeard(returnedAt));
      const all = [...this.#monitor.tasks.values()];
      note(
        'newJobRuns',
        all.some(({ name, state }) => name === newJob.name && state === 'RUNNING'),
      );
      note('settled', times.newJobRuns >= 0 && unsettled(world, this.#monitor).length === 0);
      if (scheduler.now > returnedAt + patienceMs) {
        const problems = unsettled(world, this.#monitor).slice(0, 3).join('; ');
        throw new Violation(`not settled ${patienceMs / minuteMs} minutes after the outage: ${problems}`);
      }
    }
    // And it stays so.
    await this.#until(scheduler.now + 3 * minuteMs);
    const problems = unsettled(world, this.#monitor);
    if (problems.length > 0)
      throw new Violation(`it did not stay settled: ${problems.slice(0, 3).join('; ')}`);
    const lost = this.#monitor.lost.size;
    if (lost > 0) throw new Violation(`${lost} agents were declared lost`);
    if (this.#killed > 0) throw new Violation(`${this.#killed} running tasks were killed`);
  }

  /** The roster holds everybody, and roll calls have been in time for long enough to believe in silence. */
  #isHeard(since: number): boolean {
    const roster = this.#world.roster();
    if (roster === undefined || roster.hold !== undefined || roster.trustedSince < since) return false;
    const isTrusted = roster.calledAt - roster.trustedSince >= lostAfterMs;
    return isTrusted && roster.agents.size === this.#options.agents;
  }
}

function offerOf(index: number): Offer {
  const agentId = `a${index}`;
  const capacity = {
    cpuMilli: 4_000,
    ramMb: 8_192,
    diskMb: 10_000,
    gpus: [],
    portRange: [31_000, 31_003],
  } as const;
  return {
    agentId,
    host: `${agentId}.example.org`,
    pool: 'default',
    capacity: { ...capacity, gpus: [], portRange: [31_000, 31_003] },
    attributes: { host: [`${agentId}.example.org`], rack: [`r${index % 40}`] },
    version: '0.0.0',
  };
}

/** Services: some of whose tasks end and begin again every 100 minutes, and batch work that outlasts the outage. */
function jobsFor(agents: number): JobSubmission[] {
  const total = agents * tasksPerAgent;
  const most = 5_000;
  const jobs: JobSubmission[] = [];
  for (let start = 0; start < total; start += most) {
    const size = Math.min(most, total - start);
    const restless = Math.max(1, Math.floor(size / 10));
    const configs = [
      { instances: [[0, restless - 1]], task: taskOf({ run: String(100 * minuteMs) }) },
      { instances: [[restless, size - 1]], task: taskOf({}) },
    ] as JobSubmission['configs'];
    jobs.push({ role: 'web', environment: 'prod', name: `job${jobs.length}`, configs });
  }
  return jobs;
}

const newJob: JobSubmission = {
  role: 'web',
  environment: 'prod',
  name: 'after',
  configs: [{ instances: [[0, 9]], task: taskOf({}) }],
};

function taskOf(metadata: Readonly<Record<string, string>>): TaskConfig {
  return {
    service: true,
    tier: 'preferred',
    priority: 0,
    maxTaskFailures: 1,
    constraints: [],
    pool: 'default',
    metadata: { start: '2000', end: 'FINISHED', ...metadata },
    resources: { cpuMilli: 1_000, ramMb: 512, diskMb: 16, gpus: 0, gpuMilli: 0, gpuModels: [], ports: [] },
    ...simpleProcess,
  };
}

/** For people. */
export function renderFleet(report: FleetReport, seconds: number): string {
  const { secondsUntil, ...rest } = report;
  const count = (value: number) => value.toLocaleString('en');
  return [
    `${count(rest.agents)} agents with ${count(rest.tasks)} tasks, control plane away for ${rest.outageHours} h; ${count(rest.steps)} steps in ${seconds.toFixed(0)} s`,
    `meanwhile ${count(rest.endedMeanwhile)} tasks ended on their machines; after the return ${count(rest.invocationsAfter)} invocations, ` +
      `${count(rest.throttledCalls)} refused for want of concurrency, at most ${count(rest.largestBacklog)} reports waiting`,
    `seconds after the return: reports taken in ${secondsUntil.reportsTaken}, a new job runs ${secondsUntil.newJobRuns}, ` +
      `all settled ${secondsUntil.settled}, silence counts again ${secondsUntil.silenceCounts}`,
    `agents declared lost ${rest.declaredLost}, running tasks told to end ${rest.killed}`,
    rest.failure === undefined ? 'all properties held' : `FAILED: ${rest.failure}`,
  ].join('\n');
}
