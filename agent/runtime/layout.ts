// Where things lie in an agent's work directory (spec/executor.md section 5, one folder a task).
//
//   <workDir>/agent.lock            the agent that owns the directory
//   <workDir>/finished.jsonl        ids of ended tasks and how they ended, bounded
//   <workDir>/tasks/<task>/         task.json, runner.json, checkpoint.jsonl, kill.json, runner.log
//   <workDir>/tasks/<task>/sandbox  the task's own directory: cwd and HOME of its processes
//   <sandbox>/.logs/<process>/<run>/stdout|stderr
import { createHash } from 'node:crypto';
import { join } from 'node:path';

const maxNameBytes = 200;

/**
 * The text itself, or a cut of it with a hash where it would be too long for a file name. Task ids reach 800
 * characters and process names 500 bytes; Linux takes 255.
 */
export function fileNameFor(text: string): string {
  if (Buffer.byteLength(text) <= maxNameBytes) return text;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return `${Buffer.from(text)
    .subarray(0, 100)
    .toString('latin1')
    .replaceAll(/[^\w.~-]/g, '_')}~${hash}`;
}

/** Paths of one task. */
export interface TaskPaths {
  readonly dir: string;
  /** What to run: RunnerSpec, written before the runner starts. */
  readonly spec: string;
  /** Identity of the runner that owns the task; made once, by link, so there is never a second one. */
  readonly runner: string;
  readonly checkpoint: string;
  /** A KillRequest, replaced atomically. */
  readonly kill: string;
  /** How many task statuses of the checkpoint the queue has accepted. */
  readonly reported: string;
  readonly runnerLog: string;
  /** Some bytes that are given back when the disk is full, so that the end of the task can still be recorded. */
  readonly ballast: string;
  readonly sandbox: string;
}

/** The folder of all tasks of an agent. */
export function tasksDir(workDir: string): string {
  return join(workDir, 'tasks');
}

/** Paths of one task under the work directory. */
export function taskPaths(workDir: string, taskId: string): TaskPaths {
  return pathsIn(join(tasksDir(workDir), fileNameFor(taskId)));
}

/** Paths of the task whose folder is `dir`. */
export function pathsIn(dir: string): TaskPaths {
  return {
    dir,
    spec: join(dir, 'task.json'),
    runner: join(dir, 'runner.json'),
    checkpoint: join(dir, 'checkpoint.jsonl'),
    kill: join(dir, 'kill.json'),
    reported: join(dir, 'reported'),
    runnerLog: join(dir, 'runner.log'),
    ballast: join(dir, 'ballast'),
    sandbox: join(dir, 'sandbox'),
  };
}

/** Folder of the logs of all runs of a process; run 0 is the first. */
export function processLogDir(sandbox: string, process: string): string {
  return join(sandbox, '.logs', fileNameFor(process));
}
