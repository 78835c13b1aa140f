// Agents on this machine as child processes of a local stack: started together, ended together with their tasks.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BorealisError } from '../../shared/lib/errors.ts';

export interface LocalFleetOptions {
  readonly stack: { readonly apiUrl: string; readonly sqsEndpoint: string };
  readonly count: number;
  /** Where agents keep their tasks; absent = a temporary directory, removed at the end. */
  readonly workDir?: string | undefined;
  /** Gets what the agents say, line by line. */
  readonly log: (line: string) => void;
}

export interface LocalFleet {
  /** Rejects when an agent ends by itself, with the last it said. */
  readonly failed: Promise<never>;
  /** Ends the agents and their tasks and waits until they are gone. */
  stop(): Promise<void>;
}

interface FleetAgent {
  readonly child: ChildProcess;
  readonly lastLines: readonly string[];
}

const stopWithinMs = 15_000;
const portsPerAgent = 500;
const firstPort = 31_000;
const linesKept = 5;

/** Starts `count` agents named agent-1, agent-2, ...; each offers its part of the machine. */
export function startFleet(options: LocalFleetOptions): LocalFleet {
  const { count, workDir } = options;
  const dir = workDir ?? (count > 0 ? mkdtempSync(join(tmpdir(), 'borealis-agents-')) : undefined);
  const agents = Array.from({ length: count }, (_, index) => startAgent(options, index, dir ?? ''));
  let stopping = false;
  const failed = new Promise<never>((_, reject) => {
    for (const [index, { child, lastLines }] of agents.entries()) {
      child.once('close', (code, signal) => {
        if (!stopping) reject(endedByItself(index, signal ?? `exit code ${code}`, lastLines));
      });
    }
  });
  // Nobody may be waiting at the moment it happens.
  failed.catch(() => undefined);
  return {
    failed,
    async stop() {
      stopping = true;
      await Promise.all(agents.map(({ child }) => end(child)));
      if (workDir === undefined && dir !== undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

function startAgent(options: LocalFleetOptions, index: number, dir: string): FleetAgent {
  const id = `agent-${index + 1}`;
  const low = firstPort + index * portsPerAgent;
  const args: readonly (string | number)[][] = [
    [fileURLToPath(new URL('../bin/borealis.mjs', import.meta.url)), 'agent', 'run'],
    ['--id', id, '--host', id, '--kill-tasks-on-stop', '--stop-with-stdin'],
    ['--work-dir', join(dir, id), '--ports', `${low}-${low + portsPerAgent - 1}`],
    ['--cpu', availableParallelism() / options.count],
    ['--ram', Math.floor(totalmem() / 1024 / 1024 / options.count)],
  ];
  const child = spawn(process.execPath, args.flat().map(String), {
    env: {
      ...process.env,
      BOREALIS_API: options.stack.apiUrl,
      AWS_ENDPOINT_URL_SQS: options.stack.sqsEndpoint,
    },
    // Its standard input is a leash: when this process ends in whatever way, the agent sees its end and stops.
    stdio: ['pipe', 'ignore', 'pipe'],
    // Its own group: Ctrl-C reaches this process only, which ends the agents before the stack.
    detached: true,
  });
  const lastLines: string[] = [];
  const onLine = (line: string): void => {
    lastLines.push(line);
    if (lastLines.length > linesKept) lastLines.shift();
    options.log(`${id}: ${line}`);
  };
  child.on('error', (error) => onLine(error.message));
  child.stdin?.on('error', () => undefined);
  if (child.stderr) createInterface({ input: child.stderr }).on('line', onLine);
  return { child, lastLines };
}

function endedByItself(index: number, how: string, lastLines: readonly string[]): BorealisError {
  const said = lastLines.map((line) => `\n  ${line}`).join('');
  return new BorealisError(
    'COMMAND_FAILED',
    `agent-${index + 1} ended by itself (${how}); everything is stopped.${said && ` It said:${said}`}`,
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
  await exited;
  clearTimeout(timer);
}
