// The process that supervises one task: `node agent/runner/main.ts <task folder>`. One per task, in its own session,
// so that tasks outlive the agent. It loads little on purpose: its start is part of submit to RUNNING.
import * as fs from 'node:fs';
import { killedEarlyMessage, runnerExitCodes, shutdownMessage } from '../executor/exit-status.ts';
import { CheckpointWriter, isEnd, readCheckpoint } from '../runtime/checkpoint.ts';
import type { TaskPaths } from '../runtime/layout.ts';
import { pathsIn } from '../runtime/layout.ts';
import { identify } from '../runtime/procfs.ts';
import type { RunnerSpec } from '../runtime/spec.ts';
import { readKillRequest } from './kill-watch.ts';
import { log } from './runner-log.ts';
import { TaskRunner } from './task-runner.ts';

/** Argument that only loads the code, to fill the compile cache. */
const warmUpFlag = '--warm-up';

async function main(dir: string | undefined): Promise<number> {
  if (dir === undefined) return runnerExitCodes.invalidTask;
  if (dir === warmUpFlag) return runnerExitCodes.done;
  const paths = pathsIn(dir);
  if (!takeTask(paths)) return runnerExitCodes.notMine;
  const spec = readSpec(paths);
  if (spec === undefined) return runnerExitCodes.invalidTask;
  if (readKillRequest(paths) !== undefined) {
    const checkpoint = new CheckpointWriter(paths.checkpoint, paths.ballast, () => {});
    checkpoint.append({ t: 'task', at: Date.now(), state: 'KILLED', message: killedEarlyMessage }, true);
    return runnerExitCodes.done;
  }
  const runner = new TaskRunner(spec, paths);
  process.on('SIGTERM', () => runner.kill({ message: shutdownMessage }));
  for (const ignored of ['SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGPIPE'] as const) process.on(ignored, () => {});
  const onBug = (error: unknown) => {
    log(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
    void runner.killEverything().finally(() => process.exit(runnerExitCodes.internalError));
  };
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  await runner.run();
  return runnerExitCodes.done;
}

/** Makes this process the one runner of the task, for ever: a link fails if there has been one before. */
function takeTask(paths: TaskPaths): boolean {
  if (readCheckpoint(paths.checkpoint).some((record) => record.t === 'task' && isEnd(record.state)))
    return false;
  const mine = `${paths.runner}.${process.pid}`;
  fs.writeFileSync(mine, JSON.stringify(identify(process.pid) ?? { pid: process.pid }), { mode: 0o600 });
  try {
    fs.linkSync(mine, paths.runner);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

function readSpec(paths: TaskPaths): RunnerSpec | undefined {
  try {
    return JSON.parse(fs.readFileSync(paths.spec, 'utf8')) as RunnerSpec;
  } catch (error) {
    log(`can't read ${paths.spec}: ${(error as Error).message}`);
    return undefined;
  }
}

main(process.argv[2]).then(
  (code) => process.exit(code),
  (error: unknown) => {
    log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(runnerExitCodes.internalError);
  },
);
