// One run of one scenario: act, let faults strike, let calm return, and ask whether everything came right.
import { isRolling } from '../../shared/domain/update/status-machine.ts';
import { countInstances } from '../../shared/model/instance-ranges.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import { jobPath } from '../../shared/model/job-key.ts';
import { FollowedMachines, type GiveWay } from './checks/followed.ts';
import { keptForever } from './checks/history.ts';
import { Monitor } from './checks/monitor.ts';
import { dawdling, unsettled } from './checks/settled.ts';
import { Violation } from './checks/violation.ts';
import type { Action, Scenario } from './scenario.ts';
import type { Fault } from './world/faults.ts';
import type { Random } from './world/random.ts';
import type { Strike } from './world/strikes.ts';
import { beginning, World } from './world/world.ts';

export interface RunOptions {
  readonly withLines?: boolean;
  /** Only these faults, by number. */
  readonly only?: ReadonlySet<number>;
}

export interface RunResult {
  readonly scenario: Scenario;
  /** What was meant to strike and did not. */
  readonly missed: readonly (Strike | string)[];
  /** What was violated; undefined if all properties held. */
  readonly failure: string | undefined;
  readonly steps: number;
  readonly calls: number;
  readonly checks: number;
  readonly simulatedMs: number;
  readonly faults: readonly Fault[];
  readonly pairs: ReadonlySet<string>;
  readonly refused: ReadonlySet<string>;
  readonly updatePairs: ReadonlySet<string>;
  readonly updates: number;
  readonly hash: number;
  readonly lines: readonly string[];
  readonly logged: ReadonlyMap<string, number>;
}

const lookEveryMs = 4 * 60_000;
/** Deadlines of five minutes, penalties of five minutes, one after another. */
const patienceMs = 60 * 60_000;
const stayMs = 3 * 60_000;
const lookPromptMs = 5_000;
/** How often a machine that was followed is looked at, and how long it may take to give way, without and with faults. */
const lookFollowedMs = 5_000;
const promptly: GiveWay = { learnMs: 32_000, endMs: 65_000 };
const inSpiteOfFaults: GiveWay = { learnMs: 10 * 60_000, endMs: 12 * 60_000 };
const stopMs = 3_000;
/** How often somebody looks after updates once all is calm, and how long an update may roll before it is given up. */
const tendEveryMs = 30_000;
const mostResumptions = 3;
const updatePatienceMs = 40 * 60_000;
/** Within it an update that has lost its execution must have another: two sweeps, and a description that is late. */
const undrivenPatienceMs = 4 * 60_000;

export async function runScenario(scenario: Scenario, options: RunOptions = {}): Promise<RunResult> {
  const { history, maxSkewMs } = scenario;
  const monitor = new Monitor({ ...(history ?? keptForever), maxSkewMs });
  const calmAt = beginning + scenario.calmAt;
  const world = new World({
    seed: `run ${scenario.seed}`,
    faults: {
      seed: String(scenario.seed),
      rates: scenario.rates,
      until: calmAt,
      ...(options.only && { only: options.only }),
    },
    strikes: scenario.strikes ?? [],
    onStrike: ({ meanwhile = [] }) => {
      for (const action of meanwhile) run.act(action);
    },
    withLines: options.withLines ?? false,
    maxSkewMs,
    ...(history && { history }),
    maxLatencyMs: scenario.maxLatencyMs,
    // An entry that the matcher misses waits for the next wake-up, which may be the sweep's.
    maxLagMs: scenario.kind === 'drain' || scenario.kind === 'calm' || isFaultless(scenario) ? 0 : 20,
    timings: { heartbeatMs: 40_000, registerMs: 600_000, reconcileMs: 30_000 },
    keepsHeartbeats: !isSevere(scenario),
    onUnhandled: (error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      monitor.violation ??= new Violation(`a promise failed that no function waited for: ${text}`);
    },
    onCommit: (changes) => monitor.onCommit(changes),
    onStarted: (agentId, launch) => monitor.onStarted(agentId, launch),
    onEnded: (agentId, taskId) => monitor.onEnded(agentId, taskId),
    onKilled: (agentId, taskId) => monitor.onKilled(agentId, taskId),
  });
  const run = new Run(scenario, world, monitor, calmAt);
  const failure = await run.go();
  const { scheduler, services, faults, trace, refused, logged } = world;
  return {
    scenario,
    missed: [...world.strikes.missed(), ...unreached(scenario, monitor)],
    failure,
    steps: scheduler.steps,
    calls: services.calls,
    checks: monitor.checks + monitor.updates.checks,
    simulatedMs: scheduler.now - beginning,
    faults: faults.injected,
    pairs: monitor.pairs,
    updatePairs: monitor.updates.pairs,
    updates: monitor.updates.books.size,
    refused,
    hash: trace.hash >>> 0,
    lines: trace.lines ?? [],
    logged,
  };
}

function unreached({ reaches = [] }: Scenario, { pairs, updates }: Monitor): string[] {
  return reaches.filter((pair) => !pairs.has(pair) && !updates.pairs.has(pair));
}

type MachineAction = Exclude<Extract<Action, { agent: number }>, { kind: 'drain' | 'undrain' }>;

class Run {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #monitor: Monitor;
  readonly #calmAt: number;
  readonly #random: Random;
  #requests = 0;
  readonly #resumed = new Map<string, number>();
  /** Since when each update that acts has had no execution. */
  readonly #undriven = new Map<string, number>();

  constructor(scenario: Scenario, world: World, monitor: Monitor, calmAt: number) {
    this.#scenario = scenario;
    this.#world = world;
    this.#monitor = monitor;
    this.#calmAt = calmAt;
    this.#random = world.random.fork('actions');
  }

  async go(): Promise<string | undefined> {
    const { scheduler } = this.#world;
    for (const { offer, skewMs } of this.#scenario.agents) this.#world.addAgent(offer, skewMs).boot();
    for (const { at, action } of this.#scenario.steps) scheduler.at(beginning + at, () => this.act(action));
    scheduler.at(this.#calmAt, () => this.#calm());
    this.#expect();
    for (const [index, job] of this.#scenario.jobs.entries())
      this.#monitor.mostInstances.set(jobPath(job), mostInstances(this.#scenario, index, job));
    try {
      await this.#until(this.#calmAt);
      await this.#settle();
      return undefined;
    } catch (error) {
      if (error instanceof Violation) return error.message;
      throw error;
    }
  }

  /** What this kind of scenario promises beyond what all do. */
  #expect(): void {
    const { kind, steps } = this.#scenario;
    const { scheduler } = this.#world;
    const isMixedOutage =
      (kind === 'mixed' || kind === 'history') && steps.some(({ action }) => action.kind === 'outage');
    this.#monitor.forbidsLost = kind === 'outage' || kind === 'calm' || kind === 'drain';
    this.#monitor.checksDrainBudget = kind === 'drain';
    this.#monitor.forgivesLosses = isSevere(this.#scenario) || isMixedOutage;
    this.#monitor.updates.isPrompt = kind === 'update' && isFaultless(this.#scenario);
    this.#expectToGiveWay();
    const isLeftAlone = !steps.some(
      ({ action }) => action.kind === 'stopExecution' || action.kind === 'startExecution',
    );
    const isCalmUpdate = kind === 'update' && isFaultless(this.#scenario) && isLeftAlone;
    if (kind !== 'calm' && kind !== 'drain' && !isCalmUpdate) return;
    // Room that just became free is still on its way to the matcher: only what stays is a fault.
    let before = new Set<string>();
    const look = () => {
      const problems = dawdling(this.#world, this.#monitor);
      if (isCalmUpdate) problems.push(...this.#manyExecutions());
      const problem = problems.find((one) => before.has(one));
      before = new Set(problems);
      if (isLeftAlone && this.#world.logged.has(restarted))
        this.#monitor.violation ??= new Violation('nothing goes wrong, and yet an update lost its execution');
      if (problem) this.#monitor.violation ??= new Violation(`nothing goes wrong, and yet ${problem}`);
      scheduler.after(lookPromptMs, look);
    };
    scheduler.after(lookPromptMs, look);
  }

  #expectToGiveWay(): void {
    const { rates, strikes = [], steps } = this.#scenario;
    const isQuiet = steps.every(({ action: { kind } }) => kind === 'twin' || usersActions.includes(kind));
    const hasFaults = !isQuiet || strikes.length > 0 || Math.max(...Object.values(rates)) > 0;
    const giveWay = hasFaults ? inSpiteOfFaults : promptly;
    const followed = new FollowedMachines(this.#world, this.#monitor, giveWay);
    const { scheduler } = this.#world;
    const look = () => {
      followed.look();
      scheduler.after(lookFollowedMs, look);
    };
    scheduler.after(lookFollowedMs, look);
  }

  /** One execution drives an update; it hands over to the next and ends. */
  #manyExecutions(): string[] {
    const names = this.#world.workflows.running();
    const byUpdate = Map.groupBy(names, (name) => name.slice(0, name.lastIndexOf('-')));
    return [...byUpdate].flatMap(([updateId, { length }]) =>
      length > 1 ? [`update ${updateId} has several executions`] : [],
    );
  }

  #until(time: number): Promise<void> {
    return this.#world.scheduler.runUntil(time, () => {
      if (this.#monitor.violation) throw this.#monitor.violation;
    });
  }

  /** Waits for everything to come right, and looks whether it stays so. */
  async #settle(): Promise<void> {
    const { scheduler } = this.#world;
    const latest = this.#calmAt + patienceMs;
    for (let problems = ['not looked yet']; problems.length > 0; ) {
      await this.#until(scheduler.now + lookEveryMs);
      problems = unsettled(this.#world, this.#monitor);
      if (problems.length === 0) {
        await this.#until(scheduler.now + stayMs);
        problems = unsettled(this.#world, this.#monitor);
      }
      if (problems.length > 0 && scheduler.now >= latest) {
        throw new Violation(
          `not settled ${patienceMs / 60_000} minutes after the last fault: ${problems.slice(0, 3).join('; ')}`,
        );
      }
    }
  }

  /** Whatever was down comes back. */
  #calm(): void {
    const { outage, agents, twins, trace } = this.#world;
    trace.note('calm');
    this.#tend();
    for (const part of Object.keys(outage)) outage[part as keyof typeof outage] = false;
    for (const twin of twins.values()) {
      twin.powerOff();
      twin.isGone = true;
    }
    for (const agent of agents.values()) {
      if (!agent.isLinked) agent.relink();
      // Somebody has seen to it that the id is its own again.
      if (twins.has(agent.id)) agent.crash();
      this.#world.scheduler.after(stopMs, () => agent.boot());
    }
  }

  act(action: Action): void {
    const { scheduler, lambda, outage, trace } = this.#world;
    trace.note(`action ${action.kind}`, () => JSON.stringify({ ...action, job: undefined }));
    switch (action.kind) {
      case 'submit':
        this.#post(pathOf(action.job), action.job);
        break;
      case 'kill':
      case 'restart': {
        const job = this.#scenario.jobs[action.job];
        const body = action.instances ? { instances: [action.instances] } : {};
        if (!job) break;
        this.#monitor.excused.add(jobPath(job));
        this.#post(`${pathOf(job)}/${action.kind}`, body);
        break;
      }
      case 'add': {
        const job = this.#scenario.jobs[action.job];
        if (job) this.#post(`${pathOf(job)}/instances`, { count: action.count });
        break;
      }
      case 'resubmit': {
        const job = this.#scenario.jobs[action.job];
        if (job) this.#post(pathOf(job), job);
        break;
      }
      case 'update': {
        const job = this.#scenario.jobs[action.job];
        const { change, settings } = action;
        if (job) this.#post(`${pathOf(job)}/updates`, { change, settings });
        break;
      }
      case 'drain': {
        const { deadlineSecs, percentage, settledSecs } = action;
        this.#post(`/agents/a${action.agent}/drain`, { deadlineSecs, percentage, settledSecs });
        break;
      }
      case 'undrain':
        this.#monitor.undrained.add(`a${action.agent}`);
        this.#post(`/agents/a${action.agent}/undrain`, {});
        break;
      case 'updateCall': {
        const job = this.#scenario.jobs[action.job];
        if (job) this.#callUpdate(pathOf(job), action.call);
        break;
      }
      case 'stopExecution':
        this.#world.workflows.stop(this.#random);
        break;
      case 'startExecution':
        this.#world.workflows.startAgain(this.#random);
        break;
      case 'gone':
      case 'twin':
      case 'forge':
      case 'agentCrash':
      case 'agentStop':
      case 'powerOff':
      case 'wipe':
      case 'netsplit':
      case 'resize':
      case 'clock':
        this.#actOnAgent(action);
        break;
      case 'outage': {
        const parts =
          action.what === 'all' ? (['store', 'queues', 'functions', 'workflows'] as const) : [action.what];
        for (const part of parts) outage[part] = true;
        scheduler.after(action.forMs, () => {
          for (const part of parts) outage[part] = false;
        });
        break;
      }
      case 'deploy':
        lambda.forget();
        break;
    }
  }

  #actOnAgent(action: MachineAction): void {
    const { agents, scheduler } = this.#world;
    const agent = agents.get(`a${action.agent}`);
    if (!agent) return;
    // A process that is back before its agent counts as lost must have cost nothing.
    const isShort = action.kind === 'agentCrash' && action.forMs < 40_000;
    if (action.kind !== 'forge' && !isShort) this.#monitor.excused.add(agent.id);
    switch (action.kind) {
      case 'gone':
        agent.powerOff();
        agent.isGone = true;
        break;
      case 'forge': {
        const [taskId] = [...agents.values()].flatMap((other) => (other === agent ? [] : other.alive()));
        if (taskId !== undefined) agent.forge(taskId);
        break;
      }
      case 'twin': {
        if (this.#world.twins.get(agent.id)?.isUp) break;
        const twin = this.#world.addTwin(agent);
        this.#monitor.twinned.add(agent.id);
        twin.boot();
        scheduler.after(action.forMs, () => {
          twin.powerOff();
          twin.isGone = true;
        });
        break;
      }
      case 'agentCrash':
        agent.crash();
        scheduler.after(action.forMs, () => agent.boot());
        break;
      case 'agentStop':
        agent.stop();
        // Ending its tasks takes it a while.
        scheduler.after(action.forMs + stopMs, () => agent.boot());
        break;
      case 'powerOff':
        agent.powerOff();
        scheduler.after(action.forMs, () => agent.boot());
        break;
      case 'wipe':
        agent.wipe();
        scheduler.after(action.forMs, () => agent.boot());
        break;
      case 'netsplit':
        agent.isLinked = false;
        scheduler.after(action.forMs, () => agent.relink());
        break;
      case 'resize':
        agent.crash();
        agent.capacity = { ...agent.capacity, cpuMilli: action.cpuMilli };
        scheduler.after(1_000, () => agent.boot());
        break;
      case 'clock':
        agent.skewMs = action.skewMs;
    }
  }

  #callUpdate(path: string, call: Extract<Action, { kind: 'updateCall' }>['call']): void {
    if (call === 'hold') this.#post(`${path}/updates/active/abort`, { instances: 'hold' });
    else this.#post(`${path}/updates/active/${call}`, {});
  }

  /** Once all is calm: whoever stopped an update lets it go on; what cannot go on is given up, so that all end. */
  #tend(): void {
    this.#checkDriven();
    for (const update of this.#monitor.updates.active()) {
      const { updateId, status } = update;
      const path = pathOf(update);
      if (status.endsWith('_AWAITING_PULSE')) this.#callUpdate(path, 'pulse');
      else if (status.endsWith('_PAUSED')) {
        const resumed = this.#resumed.get(updateId) ?? 0;
        this.#resumed.set(updateId, resumed + 1);
        this.#callUpdate(path, resumed < mostResumptions ? 'resume' : 'hold');
      } else if (this.#world.scheduler.now > this.#calmAt + updatePatienceMs) {
        if (this.#monitor.updates.isStuck(update)) {
          this.#monitor.violation ??= new Violation(
            `update ${updateId} does not go on though its instances are up`,
          );
        }
        this.#callUpdate(path, 'hold');
      }
    }
    this.#world.scheduler.after(tendEveryMs, () => this.#tend());
  }

  /** Whoever stopped its execution: an update that acts has one again before long (design D10). */
  #checkDriven(): void {
    const { workflows, scheduler } = this.#world;
    const driven = new Set(workflows.running().map((name) => name.slice(0, name.lastIndexOf('-'))));
    for (const { updateId, status } of this.#monitor.updates.active()) {
      if (!isRolling(status) || driven.has(updateId)) {
        this.#undriven.delete(updateId);
        continue;
      }
      const since = this.#undriven.get(updateId) ?? scheduler.now;
      this.#undriven.set(updateId, since);
      if (scheduler.now - since > undrivenPatienceMs)
        this.#monitor.violation ??= new Violation(`update ${updateId} is ${status} without an execution`);
    }
  }

  /** A client that repeats its request, with the same token, until it has a definite answer. */
  #post(path: string, body: unknown, token = `request-${++this.#requests}`, tries = 1): void {
    this.#world.callApi({ method: 'POST', path, body, token }, (answer) => {
      const isDefinite = answer !== undefined && answer.status < 500 && answer.status !== 429;
      this.#world.trace.note(
        `answer ${answer?.status ?? 'none'}`,
        () => `${path} ${JSON.stringify(answer?.body)?.slice(0, 200)}`,
      );
      if (!isDefinite && tries < 50) {
        this.#world.scheduler.after(Math.min(20_000, 500 * 2 ** tries), () =>
          this.#post(path, body, token, tries + 1),
        );
      }
    });
  }
}

/** As many instances as a job may come to have by all that is asked for in a run. */
function mostInstances({ steps, strikes = [] }: Scenario, index: number, submission: JobSubmission): number {
  const sizeOf = ({ configs }: Pick<JobSubmission, 'configs'>) =>
    countInstances(configs.flatMap(({ instances }) => instances));
  const actions = [
    ...steps.map(({ action }) => action),
    ...strikes.flatMap(({ meanwhile = [] }) => meanwhile),
  ];
  let [largest, added] = [sizeOf(submission), 0];
  for (const action of actions) {
    if (!('job' in action) || action.job !== index) continue;
    if (action.kind === 'add') added += action.count;
    if (action.kind !== 'update') continue;
    if (action.change.kind === 'add') added += action.change.count;
    if (action.change.kind === 'replace') largest = Math.max(largest, sizeOf(action.change));
  }
  return largest + added;
}

/** Of what the sweep logs when it finds an update that nobody drives. */
const restarted = 'an update had no execution; it gets another';

/** Nothing goes wrong but what users do. */
function isFaultless({ steps, rates, strikes = [] }: Scenario): boolean {
  const isUsers = steps.every(({ action }) => usersActions.includes(action.kind));
  return isUsers && strikes.length === 0 && Math.max(...Object.values(rates)) === 0;
}
const usersActions: readonly Action['kind'][] = [
  'submit',
  'kill',
  'restart',
  'add',
  'resubmit',
  'update',
  'updateCall',
  'startExecution',
  'stopExecution',
];

/** A report may be so late, by several faults in a row, that a start times out: then the end is the machine's own. */
function isSevere({ rates }: Scenario): boolean {
  const { write, ...others } = rates;
  return write > 0.05 || Math.max(...Object.values(others)) > 0.02;
}

function pathOf({ role, environment, name }: { role: string; environment: string; name: string }): string {
  return `/jobs/${role}/${environment}/${name}`;
}
