// What goes wrong during a chaos run, by seed: agents killed and started again, agents paused, machines without power for
// a moment, with and without their disk afterwards; on the embedded stack also the engines killed, all messages lost, the
// whole control plane killed and started again, functions that fail and are called twice, a store that throttles and loses answers.
import type { ChildProcess } from 'node:child_process';
import type { Fault } from '../../history/history.ts';
import type { Installation } from '../harness.ts';
import type { ControlPlane } from './control-plane.ts';
import { machineOf } from './machine.ts';
import { purgeQueues } from './purge.ts';
import type { Choices } from './random.ts';
import type { Recorder } from './recorder.ts';

export interface NemesisOptions {
  readonly installation: Installation;
  /** Starts an agent again. */
  readonly start: (agentId: string) => Promise<ChildProcess>;
  readonly recorder: Recorder;
  readonly choices: Choices;
  readonly agents: ReadonlyMap<string, ChildProcess>;
  /** Silence after which an agent is lost, ms. */
  readonly lostAfterMs: number;
  /** May agents be silent for longer than that, and machines lose their tasks? */
  readonly losesAgents: boolean;
  /** The one to strike; absent where it is not ours. */
  readonly controlPlane?: ControlPlane;
  readonly until: number;
  readonly seed: number;
}

type Kind = Exclude<Fault['kind'], 'stall'>;

/** How often each was done. */
export type Strikes = Readonly<Record<Kind, number>>;

/** What can be done to agents, the deployed ones included; to machines of our own; to a control plane of our own. */
const ofAgents = ['kill', 'pause'] as const;
const ofMachines = [...ofAgents, 'reboot', 'wipe'] as const;
const ofControlPlane = ['functions', 'outage', 'store', 'engine', 'queues', 'purge', 'functions'] as const;

/** The stack gives up an engine that ends more than five times a minute. */
const restartsPerMinute = 4;
/** Short, so that half a minute of chaos is not half an outage. */
const firstOutageMs = 1000;
/** An agent is one again once it has begun to report. */
const reportsAfterMs = 1500;

/** Strikes until the time is over, at the agents and at the control plane at once; leaves everything running again. */
export async function runNemesis(options: NemesisOptions): Promise<Strikes> {
  const { choices, controlPlane } = options;
  const strikes = {
    kill: 0,
    pause: 0,
    reboot: 0,
    wipe: 0,
    outage: 0,
    functions: 0,
    store: 0,
    engine: 0,
    queues: 0,
    purge: 0,
  };
  const own = { ...options, choices: choices.fork() };
  const kinds = options.losesAgents ? ofMachines : ofAgents;
  await Promise.all([
    strike(options, kinds, strikes, agentStrikes(options)),
    controlPlane && strike(own, ofControlPlane, strikes, controlPlaneStrikes(own, controlPlane, strikes)),
  ]);
  return strikes;
}

/** Everything has its turn once, early; after that chance decides. */
async function strike<K extends Kind>(
  { choices, until }: NemesisOptions,
  kinds: readonly [K, ...K[]],
  strikes: Record<Kind, number>,
  work: (kind: K) => Promise<void>,
): Promise<void> {
  const first = [...new Set(kinds)];
  while (Date.now() < until) {
    const kind = first.shift() ?? choices.pick(kinds);
    strikes[kind]++;
    await work(kind);
    await sleep(choices.between(500, 3000));
  }
}

function agentStrikes(options: NemesisOptions): (kind: (typeof ofMachines)[number]) => Promise<void> {
  const agents = new Map(options.agents);
  const back = async (id: string): Promise<void> => {
    await sleep(silenceMs(options));
    agents.set(id, await options.start(id));
    await sleep(reportsAfterMs);
  };
  return async (kind) => {
    const [id, child] = chosen(agents, options);
    const machine = machineOf(id, options.installation.dir);
    const over = options.recorder.fault(kind, id);
    switch (kind) {
      case 'kill':
        child.kill('SIGKILL');
        await back(id);
        break;
      case 'pause':
        child.kill('SIGSTOP');
        await sleep(silenceMs(options));
        child.kill('SIGCONT');
        break;
      case 'reboot':
        await machine.powerOff();
        await back(id);
        break;
      case 'wipe':
        await machine.powerOff();
        machine.wipe();
        await back(id);
    }
    over();
  };
}

function controlPlaneStrikes(
  options: NemesisOptions,
  controlPlane: ControlPlane,
  strikes: Record<Kind, number>,
): (kind: (typeof ofControlPlane)[number]) => Promise<void> {
  const { choices, seed, recorder, installation } = options;
  let restartedAt: number[] = [];
  const restart = async (engine: 'dynamo' | 'sqs'): Promise<void> => {
    while (restartedAt.filter((at) => Date.now() - at < 60_000).length >= restartsPerMinute) await sleep(500);
    await controlPlane.restartEngine(engine);
    restartedAt.push(Date.now());
  };
  const work = {
    engine: () => restart('dynamo'),
    queues: () => restart('sqs'),
    purge: () => purgeQueues(installation),
    async outage() {
      await controlPlane.kill();
      await sleep(strikes.outage === 1 ? firstOutageMs : silenceMs(options));
      await controlPlane.revive();
      restartedAt = [];
    },
    async store() {
      // At times nearly nothing gets through.
      await controlPlane.setStoreFaults({ seed: seed + strikes.store, oneIn: choices.between(1, 6) });
      await sleep(choices.between(1000, 5000));
      await controlPlane.setStoreFaults(undefined);
    },
    async functions() {
      await controlPlane.setFaults({ seed: seed + strikes.functions, oneIn: choices.between(3, 8) });
      await sleep(choices.between(2000, 6000));
      await controlPlane.setFaults(undefined);
    },
  };
  return async (kind) => {
    const over = recorder.fault(kind);
    await work[kind]();
    over();
  };
}

/** How long the next silence lasts: mostly short, sometimes well beyond the loss. */
function silenceMs({ choices, lostAfterMs, losesAgents }: NemesisOptions): number {
  const long = losesAgents && choices.below(3) === 0;
  return long ? lostAfterMs * 2 : choices.between(300, Math.min(4000, lostAfterMs / 2));
}

function chosen(
  agents: ReadonlyMap<string, ChildProcess>,
  { choices }: NemesisOptions,
): [string, ChildProcess] {
  const [first, ...others] = [...agents];
  if (!first) throw new Error('a nemesis needs agents');
  return choices.pick([first, ...others]);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
