// One run of one process: `/bin/bash -c` in its own session, output into its logs, and its end.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { ProcessConfig } from '../../shared/model/task-config.ts';
import { outcomeOfExit } from '../executor/exit-status.ts';
import type { RunOutcome } from '../executor/task-plan.ts';
import { identify } from '../runtime/procfs.ts';
import type { ProcessIdentity } from '../runtime/spec.ts';
import { withProfile } from './environment.ts';
import type { OutputTarget, ProcessOutput } from './process-output.ts';
import { openOutput } from './process-output.ts';

/** How a run ended. */
export interface RunEnd {
  readonly outcome: RunOutcome;
  readonly exitCode?: number;
  readonly signal?: string;
}

/** A run that is under way. */
export interface ProcessRun {
  readonly name: string;
  readonly run: number;
  readonly identity: ProcessIdentity;
  readonly ended: Promise<RunEnd>;
  readonly output: ProcessOutput;
}

/** What every run of a task shares. */
export interface RunContext extends OutputTarget {
  readonly environment: Record<string, string>;
  /** Does `start` such that what it forks is limited by the task's cgroup, if there is one. */
  readonly inCgroup: <T>(start: () => T) => T;
}

/** Starts a run; rejects if the system can't fork it or open its logs. */
export async function startProcess(
  config: ProcessConfig,
  run: number,
  context: RunContext,
): Promise<ProcessRun> {
  const output = openOutput(config, run, context);
  const child = forkInto(output, config.cmdline, context);
  const ended = new Promise<RunEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({
        outcome: outcomeOfExit(code, signal),
        ...(code === null ? {} : { exitCode: code }),
        ...(signal === null ? {} : { signal }),
      });
    });
  });
  if (child.pid === undefined) {
    const error = await new Promise<Error>((resolve) => child.once('error', resolve));
    await output.drain(0);
    throw error;
  }
  child.on('error', () => {}); // a failed kill; the census does the killing
  // A process that ended already is identified by its pid alone; it stays a zombie until `exit` is handled.
  return { name: config.name, run, identity: identify(child.pid) ?? { pid: child.pid }, ended, output };
}

function forkInto(output: ProcessOutput, cmdline: string, context: RunContext): ChildProcess {
  try {
    return context.inCgroup(() =>
      spawn('/bin/bash', ['-c', cmdline], {
        cwd: context.sandbox,
        env: withProfile(context.environment, context.sandbox),
        detached: true, // its own session, so that the whole of it can be signalled
        stdio: ['ignore', ...output.stdio],
        ...(context.uid === undefined ? {} : { uid: context.uid }),
        ...(context.gid === undefined ? {} : { gid: context.gid }),
      }),
    );
  } finally {
    output.afterSpawn();
  }
}
