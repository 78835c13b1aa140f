// What goes wrong during a chaos run, one thing after the other by seed: agents killed and started again, agents paused
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

/** An engine that ends more often than five times a minute is given up by the stack. */
const engineRestMs = 20_000;

/** Strikes until the time is over; leaves everything running again. */
export async function runNemesis(options: NemesisOptions): Promise<Strikes> {
  const { choices, until, stack } = options;
  const strikes: Strikes = { kill: 0, pause: 0, engine: 0, functions: 0 };
  const agents = new Map(options.agents);
  const kinds = stack
    ? (['kill', 'kill', 'pause', 'pause', 'engine', 'functions', 'functions'] as const)
    : (['kill', 'pause'] as const);
  let engineAt = 0;
  // Everything has its turn once, early; after that chance decides.
  const first: (typeof kinds)[number][] = [...new Set(kinds)];
  while (Date.now() < until) {
    const kind = first.shift() ?? choices.pick(kinds);
    if (kind === 'engine' && Date.now() - engineAt < engineRestMs) continue;
    strikes[kind]++;
    switch (kind) {
      case 'kill':
        await killAgent(agents, options);
        break;
      case 'pause':
        await pauseAgent(agents, options);
        break;
      case 'engine':
        engineAt = Date.now();
        await struck(options, kind, () => stack?.restartEngine('dynamo'));
        break;
      case 'functions':
        await struck(options, kind, async () => {
          await stack?.setFaults({ seed: options.seed + strikes.functions, oneIn: choices.between(3, 8) });
          await sleep(choices.between(2000, 6000));
          await stack?.setFaults(undefined);
        });
    }
    await sleep(choices.between(500, 2000));
  }
  return strikes;
}

async function struck(
  { recorder }: NemesisOptions,
  kind: 'engine' | 'functions',
  work: () => Promise<unknown> | undefined,
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
