// What goes wrong during a chaos run, by seed: agents killed and started again, agents paused
// for shorter and for longer than they may be silent; on the embedded stack also the engine of the table killed and
// started again, and functions that fail and are called twice.
import type { ChildProcess } from 'node:child_process';
import type { LocalStack } from '../../../local/stack.ts';
import type { Choices } from './random.ts';
import type { Recorder } from './recorder.ts';

export interface NemesisOptions {
  /** Starts an agent again. */
  readonly start: (agentId: string) => Promise<ChildProcess>;
  readonly recorder: Recorder;
  readonly choices: Choices;
  readonly agents: ReadonlyMap<string, ChildProcess>;
  /** Silence after which an agent is lost, ms. */
  readonly lostAfterMs: number;
  /** May agents be silent for longer than that? */
  readonly losesAgents: boolean;
  /** The engines and functions to strike; absent where they are not ours. */
  readonly stack?: LocalStack;
  readonly until: number;
  readonly seed: number;
}

/** How often each was done. */
export type Strikes = Record<'kill' | 'pause' | 'engine' | 'functions', number>;

const engineRestMs = 12_000;

/** Strikes until the time is over, at the agents and at the control plane at once; leaves everything running again. */
export async function runNemesis(options: NemesisOptions): Promise<Strikes> {
  const { choices, stack } = options;
  const strikes: Strikes = { kill: 0, pause: 0, engine: 0, functions: 0 };
  const agents = new Map(options.agents);
  const own = { ...options, choices: choices.fork() };
  await Promise.all([
    strike(options, ['kill', 'pause'], strikes, (kind) =>
      kind === 'kill' ? killAgent(agents, options) : pauseAgent(agents, options),
    ),
    stack &&
      strike(own, ['engine', 'functions', 'functions'], strikes, (kind) =>
        kind === 'engine' ? killEngine(own, stack) : breakFunctions(own, stack, strikes.functions),
      ),
  ]);
  return strikes;
}

/** Everything has its turn once, early; after that chance decides. */
async function strike<K extends keyof Strikes>(
  { choices, until }: NemesisOptions,
  kinds: readonly [K, ...K[]],
  strikes: Strikes,
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

async function killEngine(options: NemesisOptions, stack: LocalStack): Promise<void> {
  await struck(options, 'engine', () => stack.restartEngine('dynamo'));
  // One that ends more often than five times a minute is given up by the stack.
  await sleep(engineRestMs);
}

async function breakFunctions(options: NemesisOptions, stack: LocalStack, turn: number): Promise<void> {
  const { choices, seed } = options;
  await struck(options, 'functions', async () => {
    await stack.setFaults({ seed: seed + turn, oneIn: choices.between(3, 8) });
    await sleep(choices.between(2000, 6000));
    await stack.setFaults(undefined);
  });
}

async function struck(
  { recorder }: NemesisOptions,
  kind: 'engine' | 'functions',
  work: () => Promise<unknown>,
): Promise<void> {
  const over = recorder.fault(kind);
  await work();
  over();
}

/** How long the next silence lasts: mostly short, sometimes well beyond the loss. */
function silenceMs({ choices, lostAfterMs, losesAgents }: NemesisOptions): number {
  const long = losesAgents && choices.below(3) === 0;
  return long ? lostAfterMs * 2 : choices.between(300, Math.min(4000, lostAfterMs / 2));
}

async function killAgent(agents: Map<string, ChildProcess>, options: NemesisOptions): Promise<void> {
  const [id, child] = chosen(agents, options);
  const over = options.recorder.fault('kill', id);
  child.kill('SIGKILL');
  await sleep(silenceMs(options));
  agents.set(id, await options.start(id));
  // It is an agent again once it has begun to report.
  await sleep(1500);
  over();
}

async function pauseAgent(agents: Map<string, ChildProcess>, options: NemesisOptions): Promise<void> {
  const [id, child] = chosen(agents, options);
  const over = options.recorder.fault('pause', id);
  child.kill('SIGSTOP');
  await sleep(silenceMs(options));
  child.kill('SIGCONT');
  over();
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
