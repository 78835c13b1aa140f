// The embedded stack: the whole control plane on this machine, from the CDK app's own templates. Engines first and in
// parallel with the synthesis, then the host that connects them.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineSet } from './engines/engine-set.ts';
import type { HostStats } from './host/host.ts';
import type { HostThreadData } from './host/host-thread.ts';
import type { Odds } from './host/striker.ts';
import { type LocalPlan, planFrom } from './template/plan.ts';
import type { SynthRequest } from './template/synth.ts';
import type { Templates } from './template/template.ts';
import { startThread, type Thread } from './thread.ts';

export interface LocalStackOptions {
  /** Port of the HTTP API on 127.0.0.1, the next one being preferred for SQS; 0 = any free ones. @default 8081 */
  readonly port?: number;
  /** Port of SQS if it is free. @default the one after `port` */
  readonly sqsPort?: number;
  /** Keeps tables, queues and stream positions in this directory across restarts. @default nothing is kept */
  readonly dataDir?: string;
  /** Name of the cluster. @default local */
  readonly cluster?: string;
  /** Modules that export `addStacks(app)`: CDK stacks of yours that run beside those of Borealis. @default none */
  readonly stacks?: readonly string[];
  /** Settings as `cdk deploy -c` takes them, such as `borealis:backlogLimit`. @default none */
  readonly context?: Readonly<Record<string, string>>;
  /** Replaces variables of the functions that have them, such as deadlines that a test cannot wait for. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** Lets `setStoreFaults` act; every request to the store then goes through a proxy. @default false */
  readonly faultyStore?: boolean;
  /** Gets log lines of handlers, pollers and engines. @default dropped */
  readonly log?: (line: string) => void;
}

export interface LocalStack {
  /** Base URL of the HTTP API. */
  readonly apiUrl: string;
  readonly sqsEndpoint: string;
  readonly dynamoEndpoint: string;
  readonly cluster: string;
  readonly region: string;
  /** How long the start took and what took how long, milliseconds. */
  readonly startMs: Readonly<Record<string, number>>;
  /** What was made from the templates. */
  readonly plan: LocalPlan;
  /** Process id of the DynamoDB engine; absent when an external endpoint is used. */
  dynamoPid(): number | undefined;
  /** Ends one engine and starts it again on the same port and data, as after a crash. For tests of faults. */
  restartEngine(engine: 'dynamo' | 'sqs'): Promise<void>;
  /** Runs every schedule now, as the next minute would. */
  runSchedules(): Promise<void>;
  /** Makes functions fail from now on; undefined = no longer. For tests of faults. */
  setFaults(odds: Odds | undefined): Promise<void>;
  /** Makes the store refuse, lose and delay answers from now on; undefined = no longer. Needs `faultyStore`. */
  setStoreFaults(odds: Odds | undefined): Promise<void>;
  stats(): Promise<HostStats>;
  /** Ends everything and leaves no process behind. Safe to call twice. */
  stop(): Promise<void>;
  /** Resolves when the stack has ended: stopped, or failed beyond repair (then with the reason). */
  readonly ended: Promise<Error | undefined>;
}

const region = 'us-east-1';
const accountId = '000000000000';
const defaultPort = 8081;
const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Starts the embedded stack and answers when the API takes requests. CONFLICT if a port is taken or the data directory
 * holds other tables, UNAVAILABLE if an engine does not start, INVALID_CONFIG if the template asks for what the stack
 * cannot do. After an error nothing is left running.
 */
export async function startLocalStack(options: LocalStackOptions = {}): Promise<LocalStack> {
  const cluster = options.cluster ?? 'local';
  const log = options.log ?? (() => undefined);
  const began = performance.now();
  const startMs: Record<string, number> = {};
  const timed = async <T>(name: string, work: Promise<T>): Promise<T> => {
    const result = await work;
    startMs[name] = Math.round(performance.now() - began);
    return result;
  };
  const port = options.port ?? defaultPort;
  const sqsPort = options.sqsPort ?? (port > 0 && port < 65_535 ? port + 1 : undefined);
  const engines = new EngineSet({
    ...(options.dataDir !== undefined && { dataDir: options.dataDir }),
    ...(sqsPort !== undefined && { preferredSqsPort: sqsPort }),
    region,
    log,
  });
  try {
    const [templates] = await Promise.all([
      timed(
        'synthesised',
        synthesise({ cluster, stacks: options.stacks ?? [], context: options.context ?? {} }, log),
      ),
      timed('engines', engines.start()),
    ]);
    const around = {
      region,
      accountId,
      sqsEndpoint: engines.sqsEndpoint,
      apiUrl: `http://127.0.0.1:${port}`,
    };
    const plan = withEnvironment(planFrom(templates, around), options.environment ?? {});
    const host = hostThread({ plan, port, engines, options, log });
    try {
      const actualPort = await timed('ready', host.call<number>('start'));
      return runningStack({ host, engines, plan, cluster, startMs, port: actualPort, log });
    } catch (error) {
      await host.terminate();
      throw error;
    }
  } catch (error) {
    await engines.stop();
    throw error;
  }
}

function withEnvironment(plan: LocalPlan, more: Readonly<Record<string, string>>): LocalPlan {
  const functions = plan.functions.map((fn) => {
    const replaced = Object.entries(more).filter(([name]) => name in fn.environment);
    return { ...fn, environment: { ...fn.environment, ...Object.fromEntries(replaced) } };
  });
  return { ...plan, functions };
}

async function synthesise(request: SynthRequest, log: (line: string) => void): Promise<Templates> {
  const file = new URL('./template/synth-thread.ts', import.meta.url);
  const thread = startThread({
    name: 'borealis-synth',
    file,
    // The library's own check of the templates takes seconds; the tests of infra/ run it.
    env: { ...definedOnly(process.env), CDK_VALIDATION: 'false' },
    log,
  });
  try {
    return await thread.call<Templates>('synth', request);
  } finally {
    await thread.terminate();
  }
}

interface HostInput {
  readonly plan: LocalPlan;
  readonly port: number;
  readonly engines: EngineSet;
  readonly options: LocalStackOptions;
  readonly log: (line: string) => void;
}

function hostThread({ plan, port, engines, options, log }: HostInput): Thread {
  const data: HostThreadData = {
    plan,
    root,
    port,
    region,
    accountId,
    dynamoEndpoint: engines.dynamoEndpoint,
    sqsEndpoint: engines.sqsEndpoint,
    faultyStore: options.faultyStore === true,
    ...(options.dataDir !== undefined && { dataDir: join(options.dataDir, 'streams') }),
  };
  return startThread({
    name: 'borealis-host',
    file: new URL('./host/host-thread.ts', import.meta.url),
    data,
    env: handlerEnvironment(process.env),
    log,
  });
}

/** The handlers see this machine's environment, but nothing that leads to a real AWS account. */
export function handlerEnvironment(
  from: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const kept = Object.entries(definedOnly(from)).filter(([name]) => !name.startsWith('AWS_'));
  return {
    POWERTOOLS_LOG_LEVEL: 'WARN',
    // A line of metrics per invocation is for CloudWatch to read; here /_local/stats answers.
    POWERTOOLS_METRICS_DISABLED: 'true',
    ...Object.fromEntries(kept),
  };
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

interface RunningInput {
  readonly host: Thread;
  readonly engines: EngineSet;
  readonly plan: LocalPlan;
  readonly cluster: string;
  readonly startMs: Readonly<Record<string, number>>;
  readonly port: number;
  readonly log: (line: string) => void;
}

const stopTimeoutMs = 10_000;

function runningStack({ host, engines, plan, cluster, startMs, port, log }: RunningInput): LocalStack {
  let stopping: Promise<void> | undefined;
  let end: (error: Error | undefined) => void = () => undefined;
  const ended = new Promise<Error | undefined>((resolve) => {
    end = resolve;
  });
  const stop = async (): Promise<void> => {
    const timer = setTimeout(() => void host.terminate(), stopTimeoutMs);
    await host.call('stop').catch((error: Error) => log(`the host did not stop cleanly: ${error.message}`));
    clearTimeout(timer);
    await host.terminate();
    await engines.stop();
    end(undefined);
  };
  const stopOnce = (): Promise<void> => (stopping ??= stop());
  const heal = (): Promise<void> =>
    host.call<void>('heal').catch((error: Error) => {
      // A stop that came first is no news.
      if (!stopping) log(`the safety net did not run: ${error.message}`);
    });
  engines.onRestart(heal);
  const fail = async (error: Error): Promise<void> => {
    if (stopping) return;
    await stopOnce();
    end(error);
  };
  engines.onFailure((error) => void fail(error));
  void host.exited.then(() => fail(new Error('the host thread ended')));
  // Hints that were lost with the last run (or with its machine) are made good by one round of the sweeper.
  void heal();
  return {
    apiUrl: `http://127.0.0.1:${port}`,
    sqsEndpoint: engines.sqsEndpoint,
    dynamoEndpoint: engines.dynamoEndpoint,
    cluster,
    region,
    startMs,
    plan,
    dynamoPid: () => engines.dynamoPid(),
    restartEngine: (engine) => engines.restart(engine),
    runSchedules: () => host.call<void>('heal'),
    setFaults: (odds) => host.call<void>('setFaults', odds),
    setStoreFaults: (odds) => host.call<void>('setStoreFaults', odds),
    stats: () => host.call<HostStats>('stats'),
    stop: stopOnce,
    ended,
  };
}
