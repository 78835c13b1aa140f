// One task on this agent, as the agent sees it: its folder, its runner, and how far its checkpoint was read.
import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import type { TaskStatus } from '../../shared/model/protocol.ts';
import type { CheckpointRecord } from '../runtime/checkpoint.ts';
import { isEnd, parseRecords } from '../runtime/checkpoint.ts';
import type { TaskPaths } from '../runtime/layout.ts';
import type { ProcessIdentity } from '../runtime/spec.ts';
import type { FinalStatus } from './finished-tasks.ts';
import { readReported, readRunner, writeReported } from './task-folder.ts';

/** A status with its place in the checkpoint. */
export interface NumberedStatus {
  readonly number: number;
  readonly status: TaskStatus;
}

export class LocalTask {
  readonly taskId: string;
  readonly paths: TaskPaths;
  /** When this agent took the task over, its own clock, epoch ms. */
  readonly launchedAt: number;
  /** Set once the checkpoint shows the end. */
  final: FinalStatus | undefined;
  /** When the control plane last took the final status, epoch ms. */
  finalAcceptedAt: number | undefined;
  /** The last status and when the control plane's queue took it, epoch ms. */
  last: { readonly state: TaskStatus['state']; readonly acceptedAt?: number } | undefined;
  isKillRequested = false;
  /** The runner, if this agent process started it. */
  child: ChildProcess | undefined;
  /** When a runner was started that has not shown itself yet, epoch ms. */
  startedRunnerAt = 0;
  runnerExitCode: number | undefined;
  /** True while leftovers of a dead runner are being killed. */
  isBurying = false;
  watcher: fs.FSWatcher | undefined;
  /** Leaders of the sessions the runner started. */
  readonly sessions: ProcessIdentity[] = [];
  #runner: ProcessIdentity | undefined;
  #offset = 0;
  #statuses = 0;
  #reported: number;

  constructor(taskId: string, paths: TaskPaths, launchedAt: number) {
    this.taskId = taskId;
    this.paths = paths;
    this.launchedAt = launchedAt;
    this.#reported = readReported(paths);
  }

  get runner(): ProcessIdentity | undefined {
    this.#runner ??= readRunner(this.paths);
    return this.#runner;
  }

  /** Reads what the checkpoint has new; the statuses in it that are not known to be reported. */
  readNew(): NumberedStatus[] {
    const fresh: NumberedStatus[] = [];
    for (const record of this.#readRecords()) {
      if (record.t === 'process' && record.process) this.sessions.push(record.process);
      if (record.t !== 'task' || this.final) continue;
      const status: TaskStatus = {
        taskId: this.taskId,
        state: record.state,
        at: record.at,
        ...(record.message === undefined ? {} : { message: record.message.slice(0, 1024) }),
      };
      const number = this.#statuses++;
      if (number >= this.#reported) fresh.push({ number, status });
      this.last = { state: record.state, ...(number < this.#reported && { acceptedAt: record.at }) };
      if (isEnd(record.state)) {
        this.final = { ...status, state: record.state };
        if (number < this.#reported) this.finalAcceptedAt = record.at;
      }
    }
    return fresh;
  }

  /** The control plane has taken the status of this number. */
  accepted(number: number, now: number): void {
    if (this.last && number === this.#statuses - 1) this.last = { ...this.last, acceptedAt: now };
    if (this.final && number === this.#statuses - 1) this.finalAcceptedAt = now;
    if (number < this.#reported) return;
    this.#reported = number + 1;
    if (fs.existsSync(this.paths.dir)) writeReported(this.paths, this.#reported);
  }

  #readRecords(): CheckpointRecord[] {
    let fd: number;
    try {
      fd = fs.openSync(this.paths.checkpoint, 'r');
    } catch {
      return [];
    }
    try {
      const size = fs.fstatSync(fd).size;
      if (size <= this.#offset) return [];
      const bytes = Buffer.alloc(size - this.#offset);
      const read = fs.readSync(fd, bytes, 0, bytes.length, this.#offset);
      const { records, used } = parseRecords(bytes.subarray(0, read));
      this.#offset += used;
      return records;
    } finally {
      fs.closeSync(fd);
    }
  }
}
