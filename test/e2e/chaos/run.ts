// One chaos run: an installation with short deadlines, users and a nemesis for a while, then quiet; what was recorded is
// judged once everything has settled, or has had its time to.
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transientStates } from '../../../shared/model/task-timeouts.ts';
import { check } from '../../history/check.ts';
import type { History, Violation } from '../../history/history.ts';
import { type Installation, installOn, startInstallation } from '../harness.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { eventsToQueue } from './events-rule.ts';
import { runNemesis } from './nemesis.ts';
import { choicesOf } from './random.ts';
import { type Recorder, startRecorder } from './recorder.ts';
import { type Done, report } from './report.ts';
import { runWorkload } from './workload.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** How long things go wrong, ms. */
  readonly chaosMs: number;
  /** How long everything may take to settle afterwards, ms. */
  readonly settleMs: number;
}

export interface ChaosReport {
  readonly violations: readonly Violation[];
  /** What should have happened and did not: a run in which little happens proves little. */
  readonly missing: readonly string[];
  /** For people: what was done, and what was found. */
  readonly text: string;
}

const eventsStack = fileURLToPath(new URL('./events-stack.ts', import.meta.url));
const timings = { heartbeatMs: 1000, reconcileMs: 3000, killBudgetMs: 5000, registerMs: 20_000 };
/** Offered by each agent, so that what is asked for is at times more than there is. */
const offer = { cpuMilli: 2000, ramMb: 4096, diskMb: 10_240 };
const lostAfterMs = 10_000;
const timeoutSecs = 15;
const reportsArriveMs = 10_000;
const sweepEveryMs = 2000;

/** On the embedded stack: everything goes wrong, and what takes minutes elsewhere takes seconds. */
export async function embeddedChaos(options: ChaosOptions): Promise<ChaosReport> {
  const environment = {
    AGENT_LOST_AFTER_SECS: String(lostAfterMs / 1000),
    REPORTS_ARRIVE_SECS: String(reportsArriveMs / 1000),
    TASK_TIMEOUTS: transientStates.map((state) => `${state}=${timeoutSecs}`).join(),
  };
  const controlPlane = await startControlPlane({ stacks: [eventsStack], environment });
  const installation = await installOn(controlPlane, [], timings);
  const schedules = repeatSchedules(controlPlane);
  try {
    return await chaos(options, installation, ['agent-a', 'agent-b', 'agent-c'], controlPlane);
  } finally {
    await schedules.stop();
    await installation.stop();
  }
}

/** On what was deployed: agents are killed and paused for seconds, its time-outs are what they are. */
export async function deployedChaos(options: ChaosOptions): Promise<ChaosReport> {
  const installation = await startInstallation([], { agentTimings: timings });
  const queue = await eventsToQueue(installation);
  try {
    return await chaos(options, installation, ['agent-a', 'agent-b']);
  } finally {
    await installation.stop();
    await queue.remove();
  }
}

/** The minute's work every two seconds, so that it need not be waited for. */
function repeatSchedules(controlPlane: ControlPlane): { stop(): Promise<void> } {
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) {
      // It fails while an engine restarts and while all is away; the next round is the retry.
      await controlPlane.runSchedules().catch(() => undefined);
      await sleep(sweepEveryMs);
    }
  };
  const running = loop();
  return {
    async stop() {
      stopped = true;
      await running;
    },
  };
}

async function chaos(
  options: ChaosOptions,
  installation: Installation,
  agentIds: readonly [string, ...string[]],
  controlPlane?: ControlPlane,
): Promise<ChaosReport> {
  const isEmbedded = controlPlane !== undefined;
  const { seed, chaosMs } = options;
  const cpu = ['--cpu', String(offer.cpuMilli / 1000)];
  const jobs = { role: `chaos-${process.pid}-${seed}`, environment: 'test' };
  const runsFile = join(installation.dir, 'runs.txt');
  writeFileSync(runsFile, '');
  const agents = new Map<string, ChildProcess>();
  for (const id of agentIds) agents.set(id, await installation.startAgent(id, cpu));
  const recorder = await startRecorder({ installation, jobs, runsFile });
  try {
    const choices = choicesOf(seed);
    const until = Date.now() + chaosMs;
    const users = {
      installation,
      recorder,
      jobs,
      runsFile,
      until,
      choices: choices.fork(),
      services: 3,
      agentIds,
    };
    const nemesis = {
      installation,
      recorder,
      agents,
      lostAfterMs,
      losesAgents: isEmbedded,
      until,
      seed,
      choices: choices.fork(),
      start: (id: string) => installation.spawnAgent(id, cpu),
      ...(controlPlane && { controlPlane }),
    };
    const [, strikes] = await Promise.all([runWorkload(users), runNemesis(nemesis)]);
    const faults = await controlPlane?.faultCounts();
    const history = await settled(recorder, known(agentIds, isEmbedded), options.settleMs);
    const violations = check(history);
    // Where the work that is left may be stuck.
    const left = violations.length > 0 ? await controlPlane?.stats().catch(() => undefined) : undefined;
    const done = { seed, strikes, faults };
    const missing = missingFrom(history, done, isEmbedded);
    return { violations, missing, text: report(history, violations, done, left) };
  } finally {
    await recorder.stop();
  }
}

function known(agentIds: readonly string[], isQuick: boolean): Pick<History, 'limits' | 'agents'> {
  const timeoutMs = isQuick ? timeoutSecs * 1000 : 300_000;
  return {
    agents: agentIds.map((agentId) => ({ agentId, ...offer })),
    limits: {
      timeoutsMs: Object.fromEntries(
        transientStates.map((state) => [state, timeoutMs]),
      ) as History['limits']['timeoutsMs'],
      lostAfterMs: isQuick ? lostAfterMs : 90_000,
      reportsArriveMs: isQuick ? reportsArriveMs : 180_000,
      sweepEveryMs: isQuick ? sweepEveryMs : 60_000,
      slackMs: 30_000,
      clockMs: 5000,
      graceMs: 25_000,
    },
  };
}

/** Rules about how everything ends: they may be broken for a while after the last fault. */
const eventual = [
  'nothing untold',
  'kills took effect',
  'everything settled',
  'ends announced',
  'work done',
  'reality as told',
  'books closed',
];

/** The history once all is quiet and well, and has stayed so; or when its time is over. */
async function settled(
  recorder: Recorder,
  about: Pick<History, 'limits' | 'agents'>,
  withinMs: number,
): Promise<History> {
  const end = Date.now() + withinMs;
  let looks = 0;
  for (;;) {
    await recorder.untilQuiet();
    const history = await recorder.history(about);
    const open = check(history).some(({ rule }) => eventual.includes(rule));
    looks = open ? 0 : looks + 1;
    if (looks === 2 || Date.now() > end) return history;
    await sleep(1000);
  }
}

function missingFrom(history: History, { strikes, faults }: Done, isEmbedded: boolean): string[] {
  const accepted = history.calls
    .filter(({ outcome }) => outcome === 'accepted')
    .map(({ asked }) => asked.kind);
  const wanted: Readonly<Record<string, boolean>> = {
    'an accepted job': accepted.includes('create'),
    'an accepted kill': accepted.includes('kill'),
    'an accepted change of a service': ['restart', 'add', 'update'].some((kind) =>
      accepted.includes(kind as 'add'),
    ),
    'tasks that started': history.runs.length >= 10,
    'an agent killed or paused': strikes.kill + strikes.pause > 0,
    ...(isEmbedded && {
      'the control plane killed': strikes.outage > 0,
      'an engine killed': strikes.engine + strikes.queues > 0,
      'functions struck': Object.values(faults ?? {}).some((count) => count > 0),
    }),
  };
  return Object.keys(wanted).filter((what) => !wanted[what]);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
