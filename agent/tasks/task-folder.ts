// The files of one task as the agent writes them: everything before the runner starts, the order to end it, how much
// was reported. Written by rename, so a reader sees whole files; not synced, since a machine that loses power loses the
// task as well and the level brings back the launch.
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { reserveBallast } from '../runtime/checkpoint.ts';
import type { TaskPaths } from '../runtime/layout.ts';
import type { KillRequest, ProcessIdentity, RunnerSpec } from '../runtime/spec.ts';

/** Makes the folder with a checkpoint that says STARTING. task.json comes last: a folder without it never counts. */
export function createTaskFolder(paths: TaskPaths, spec: RunnerSpec): void {
  fs.mkdirSync(dirname(paths.dir), { recursive: true });
  fs.mkdirSync(paths.dir, { mode: 0o711 }); // fails if there is one: a folder is never taken over
  try {
    fillTaskFolder(paths, spec);
  } catch (error) {
    fs.rmSync(paths.dir, { recursive: true, force: true });
    throw error;
  }
}

function fillTaskFolder(paths: TaskPaths, spec: RunnerSpec): void {
  const starting = { t: 'task', at: spec.launchedAt, state: 'STARTING' };
  fs.writeFileSync(paths.checkpoint, `${JSON.stringify(starting)}\n`, { mode: 0o600 });
  reserveBallast(paths.ballast);
  replaceFile(paths.spec, JSON.stringify(spec));
}

/** What the folder was made for, or undefined if it is not a whole task folder. */
export function readSpec(paths: TaskPaths): RunnerSpec | undefined {
  return readJson<RunnerSpec>(paths.spec);
}

/** The runner that took the task, or undefined while none has. */
export function readRunner(paths: TaskPaths): ProcessIdentity | undefined {
  return readJson<ProcessIdentity>(paths.runner);
}

/** Orders the runner to end the task. A full disk can't stop it: the ballast makes room for one small file. */
export function writeKillRequest(paths: TaskPaths, request: KillRequest): void {
  try {
    replaceFile(paths.kill, JSON.stringify(request));
  } catch {
    fs.rmSync(paths.ballast, { force: true });
    replaceFile(paths.kill, JSON.stringify(request));
  }
}

/** How many statuses of the task the control plane has taken; 0 if unknown, which only repeats reports. */
export function readReported(paths: TaskPaths): number {
  return readJson<number>(paths.reported) ?? 0;
}

export function writeReported(paths: TaskPaths, count: number): void {
  try {
    replaceFile(paths.reported, String(count));
  } catch {
    // a full disk: after a restart the statuses are reported again
  }
}

/** Replaces a file of root's as a whole; mode 600. */
export function replaceFile(path: string, text: string): void {
  fs.writeFileSync(`${path}.new`, text, { mode: 0o600 });
  fs.renameSync(`${path}.new`, path);
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(fs.readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
