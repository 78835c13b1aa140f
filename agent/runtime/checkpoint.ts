// The checkpoint of a task: an append-only stream of JSON lines, written by its runner (by the agent once the runner
// is dead) and tailed by the agent. It is the one durable record of what the task did: statuses are reported from it.
import * as fs from 'node:fs';
import type { EndState } from '../executor/exit-status.ts';
import type { ProcessIdentity } from './spec.ts';

/** States a checkpoint can show for the task as a whole; the first is written before the runner starts. */
export type CheckpointState = 'STARTING' | 'RUNNING' | EndState;

/** A task status to be reported. */
interface TaskRecord {
  readonly t: 'task';
  readonly at: number;
  readonly state: CheckpointState;
  readonly message?: string;
}
/** A stage of the runner (spec/executor.md section 3). */
interface StageRecord {
  readonly t: 'stage';
  readonly at: number;
  readonly stage: 'ACTIVE' | 'CLEANING' | 'FINALIZING';
}
/** One run of a process began (with its identity) or ended (with code or signal). */
interface ProcessRecord {
  readonly t: 'process';
  readonly at: number;
  readonly name: string;
  readonly run: number;
  readonly state: 'RUNNING' | 'SUCCESS' | 'FAILED' | 'KILLED' | 'LOST';
  readonly process?: ProcessIdentity;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly message?: string;
}
export type CheckpointRecord = TaskRecord | StageRecord | ProcessRecord;

/** True for the state of a task that has ended. */
export function isEnd(state: CheckpointState): state is EndState {
  return state !== 'STARTING' && state !== 'RUNNING';
}

/** The records in a piece of a stream, and how many bytes of it were whole lines; a torn last line is left for later. */
export function parseRecords(bytes: Buffer): { readonly records: CheckpointRecord[]; readonly used: number } {
  const used = bytes.lastIndexOf(10) + 1;
  const records: CheckpointRecord[] = [];
  for (const line of bytes.subarray(0, used).toString('utf8').split('\n')) {
    if (line === '') continue;
    try {
      records.push(JSON.parse(line) as CheckpointRecord);
    } catch {
      // A line torn by a crash: the writer after it starts a new one, nothing else is lost.
    }
  }
  return { records, used };
}

/** All records of a task; empty if there is no stream yet. */
export function readCheckpoint(path: string): CheckpointRecord[] {
  try {
    return parseRecords(fs.readFileSync(path)).records;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

const ballastBytes = 64 * 1024;

/** Sets bytes aside that a full disk can't take away; without them (no room even now) the task still runs. */
export function reserveBallast(path: string): void {
  try {
    fs.writeFileSync(path, Buffer.alloc(ballastBytes, 1), { mode: 0o600 });
  } catch {
    fs.rmSync(path, { force: true });
  }
}

/** True for the errors of a file system without room. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/**
 * Appends records. A full disk never throws: the record is kept, the ballast is given back, and the append is tried
 * again with the next record or `flush`. `onDiskFull` is called once when that begins.
 */
export class CheckpointWriter {
  readonly #path: string;
  readonly #ballast: string;
  readonly #onDiskFull: (error: Error) => void;
  #waiting = '';
  #wasFull = false;

  constructor(path: string, ballast: string, onDiskFull: (error: Error) => void) {
    this.#path = path;
    this.#ballast = ballast;
    this.#onDiskFull = onDiskFull;
    this.#waiting = endsInTornLine(path) ? '\n' : '';
  }

  /** Writes one record; `durable` waits for the disk (ends of tasks; identities of processes need it less). */
  append(record: CheckpointRecord, durable = false): void {
    this.#waiting += `${JSON.stringify(record)}\n`;
    this.flush(durable);
  }

  /** Tries to write what is waiting; true if nothing is left. */
  flush(durable = false): boolean {
    const full = this.#tryWrite(durable);
    if (full !== undefined) {
      if (!this.#wasFull) this.#onDiskFull(full);
      this.#wasFull = true;
      fs.rmSync(this.#ballast, { force: true });
      this.#tryWrite(durable);
    }
    return this.#waiting === '';
  }

  /** Writes what is waiting; the error if the disk is full. */
  #tryWrite(durable: boolean): Error | undefined {
    try {
      this.#write(durable);
      return undefined;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return error as Error;
    }
  }

  #write(durable: boolean): void {
    const fd = fs.openSync(this.#path, 'a', 0o600);
    try {
      let bytes = Buffer.from(this.#waiting);
      while (bytes.length > 0) {
        bytes = bytes.subarray(fs.writeSync(fd, bytes));
        this.#waiting = bytes.toString('utf8');
      }
      if (durable) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}

function endsInTornLine(path: string): boolean {
  try {
    const bytes = fs.readFileSync(path);
    return bytes.length > 0 && bytes[bytes.length - 1] !== 10;
  } catch {
    return false;
  }
}
