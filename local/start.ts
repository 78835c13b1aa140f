// `npm start`: the whole system on this machine with two agents, the two example jobs on their way to RUNNING and
// FINISHED, and what to try next. Stays up until Ctrl-C; with --exit it ends when both jobs are there.
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { listAllAgents } from '../cli/client/read.ts';
import { aborted } from '../cli/command.ts';
import { processIo } from '../cli/io.ts';
import { loadOneJob } from '../cli/job-file.ts';
import { formatKey } from '../cli/keys.ts';
import { startFleet } from '../cli/local/fleet.ts';
import { exitCodeOf, failureLines } from '../cli/output/failure.ts';
import { createSession, type Session } from '../cli/session.ts';
import type { Goal } from '../cli/wait/judge.ts';
import { waitForJob } from '../cli/wait/wait.ts';
import { BorealisError } from '../shared/lib/errors.ts';
import { startLocalStack } from './stack.ts';

const agentCount = 2;
/** Longest wait for the examples; they take about 15 s. */
const demoTimeoutMs = 90_000;
const agentTimeoutMs = 30_000;

const demos = [
  { file: 'examples/hello-service/job.yaml', goal: 'RUNNING', what: 'three instances, http health check' },
  { file: 'examples/hello-batch/job.yaml', goal: 'FINISHED', what: 'ordered processes, runs once' },
] as const;

interface StartOptions {
  readonly exit: boolean;
  readonly port: number;
  readonly dataDir: string | undefined;
  readonly stacks: readonly string[];
  readonly verbose: boolean;
}

const usage = `Usage: npm start -- [--exit] [--port 8081] [--data DIR] [--stacks FILE] [--verbose]

  --exit      end with 0 when the examples have reached RUNNING and FINISHED, else non-zero with the reason
  --port N    port of the HTTP API (0 = any free one)
  --data DIR  keep the state across restarts
  --stacks F  also run the CDK stacks that module F adds (examples/events/stacks.ts); may be repeated
  --verbose   log lines of handlers and engines
`;

function parseOptions(args: readonly string[]): StartOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      exit: { type: 'boolean', default: false },
      port: { type: 'string', default: '8081' },
      data: { type: 'string' },
      stacks: { type: 'string', multiple: true, default: [] },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535) {
    throw new BorealisError(
      'INVALID_REQUEST',
      `--port "${values.port}" is not a port number; nothing was started.`,
    );
  }
  return { exit: values.exit, port, dataDir: values.data, stacks: values.stacks, verbose: values.verbose };
}

async function main(args: readonly string[]): Promise<number> {
  const io = processIo();
  const log = (line: string): void => void io.stderr.write(`${line}\n`);
  try {
    const options = parseOptions(args);
    if (!options) {
      io.stdout.write(usage);
      return 0;
    }
    return await demo(options, log, io);
  } catch (error) {
    if (io.signal.aborted) return 130;
    const wrongOption = error instanceof TypeError && 'code' in error;
    if (wrongOption) {
      log(`error: ${error.message}; nothing was started.\n\n${usage}`);
      return 2;
    }
    failureLines(error, (_format, text) => text, args.includes('--verbose')).forEach(log);
    return exitCodeOf(error);
  }
}

async function demo(
  options: StartOptions,
  log: (line: string) => void,
  io: ReturnType<typeof processIo>,
): Promise<number> {
  const startedAt = performance.now();
  const seconds = (): string => ((performance.now() - startedAt) / 1000).toFixed(1);
  log('starting the control plane on this machine ...');
  const stack = await startLocalStack({
    port: options.port,
    ...(options.dataDir !== undefined && { dataDir: options.dataDir }),
    stacks: options.stacks,
    log: options.verbose ? log : () => undefined,
  });
  const fleet = startFleet({
    stack,
    count: agentCount,
    workDir: options.dataDir,
    log: options.verbose ? log : () => undefined,
  });
  try {
    log(
      `ready after ${seconds()} s: ${stack.apiUrl} (cluster ${stack.cluster}), ${agentCount} agents starting`,
    );
    const session = createSession(io, { api: stack.apiUrl });
    const ended = stack.ended.then((error): never => {
      throw error ?? new BorealisError('UNAVAILABLE', 'the stack has ended');
    });
    ended.catch(() => undefined);
    await Promise.race([showDemos(session), fleet.failed, ended]);
    log(`both examples are there after ${seconds()} s`);
    if (options.exit) return 0;
    log(nextSteps(stack.apiUrl));
    await Promise.race([aborted(io.signal), fleet.failed, ended]);
    log('stopping');
    return 0;
  } finally {
    await fleet.stop();
    await stack.stop();
  }
}

/** Waits for the agents, submits both examples, then waits for each. */
async function showDemos(session: Session): Promise<void> {
  await agentsRegistered(session);
  const submitted: { key: Parameters<typeof formatKey>[1]; shown: string; goal: Goal }[] = [];
  for (const { file, goal, what } of demos) {
    const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
    const { submission } = await loadOneJob({ file: path });
    const { role, environment, name } = submission;
    const key = { role, environment, name };
    const shown = formatKey(await session.cluster(), key);
    await submitDemo(session, submission, shown);
    session.out.say(`\n$ borealis job create ${file}        # ${what}\n  ${shown} is accepted`);
    submitted.push({ key, shown, goal });
  }
  for (const { key, shown, goal } of submitted) {
    session.out.say(`\n$ borealis job create ... --wait-until ${goal}        # ${shown}`);
    await waitForJob(session, { key, shown, goal, timeoutMs: demoTimeoutMs });
    session.out.say(`  ${shown}: every instance is ${goal}`);
  }
}

async function agentsRegistered(session: Session): Promise<void> {
  const until = performance.now() + agentTimeoutMs;
  for (;;) {
    const agents = await listAllAgents(session.client, { signal: session.io.signal });
    if (agents.length >= agentCount) {
      session.out.say(`agents: ${agents.map(({ agentId }) => agentId).join(', ')}`);
      return;
    }
    if (performance.now() > until) {
      throw new BorealisError(
        'TIMEOUT',
        `only ${agents.length} of ${agentCount} agents registered within ${agentTimeoutMs / 1000} s; stopping. Try --verbose.`,
      );
    }
    await sleep(100, undefined, { signal: session.io.signal });
  }
}

/** With --data the example may be there from an earlier start; that is as good. */
async function submitDemo(
  session: Session,
  submission: Awaited<ReturnType<typeof loadOneJob>>['submission'],
  shown: string,
): Promise<void> {
  const { role, environment, name } = submission;
  try {
    await session.client.call('createJob', {
      params: { role, environment, name },
      body: submission,
      idempotencyKey: crypto.randomUUID(),
      signal: session.io.signal,
    });
  } catch (error) {
    if (!(error instanceof BorealisError) || error.code !== 'JOB_EXISTS') throw error;
    session.out.say(`${shown} is there from an earlier start`);
  }
}

function nextSteps(apiUrl: string): string {
  const api = apiUrl === 'http://127.0.0.1:8081' ? '' : `\n  export BOREALIS_API=${apiUrl}`;
  return `
Try in another terminal:${api}
  npx borealis job status local/demo/devel/hello-service
  npx borealis task logs local/demo/devel/hello-batch --process report
  npx borealis task logs local/demo/devel/hello-service/0 -f
  npx borealis job restart local/demo/devel/hello-service/1 --wait
  npx borealis job add local/demo/devel/hello-service 2 --wait
  npx borealis job why local/demo/devel/hello-service
  npx borealis job killall local/demo/devel/hello-service --wait
  npx borealis agent list

Ctrl-C stops everything; nothing is left running.`;
}

process.exit(await main(process.argv.slice(2)));
