// Where the output of one run goes: files in the sandbox (rotated or not), the runner's own stdout, both or nowhere
// (spec/executor.md section 6).
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProcessConfig } from '../../shared/model/task-config.ts';
import { processLogDir } from '../runtime/layout.ts';
import type { Pipe } from './fifo.ts';
import { openPipes } from './fifo.ts';
import { openForAppend, RotatingLog } from './rotating-log.ts';

const streams = ['stdout', 'stderr'] as const;
const mib = 1024 * 1024;
const defaultLogger = {
  destination: 'file',
  mode: 'rotate',
  rotateSizeMb: 100,
  rotateBackups: 5,
} satisfies NonNullable<ProcessConfig['logger']>;

/** Output of one run of a process. */
export interface ProcessOutput {
  /** For spawn: descriptors or 'ignore' for stdout and stderr. */
  readonly stdio: readonly (number | 'ignore')[];
  /** To be called right after the spawn: gives up the child's descriptors. */
  afterSpawn(): void;
  /** Waits until everything written has been stored, at most this long (others may hold the pipe open), and closes. */
  drain(withinMs: number): Promise<void>;
  /** When nobody can write any more and all is stored. */
  readonly closed: Promise<unknown>;
}

export interface OutputTarget {
  readonly sandbox: string;
  /** Folder for short-lived FIFOs. */
  readonly taskDir: string;
  /** User of the processes if not the runner's own: it must be able to open /dev/stdout. */
  readonly uid?: number;
  readonly gid?: number;
  /** A write to a log failed; the output is dropped from then on. */
  readonly onError: (error: Error) => void;
}

/** Opens the output of one run; throws if files or pipes can't be made. */
export function openOutput(process: ProcessConfig, run: number, target: OutputTarget): ProcessOutput {
  const logger = process.logger ?? defaultLogger;
  if (logger.destination === 'none') {
    return {
      stdio: ['ignore', 'ignore'],
      afterSpawn: () => {},
      drain: async () => {},
      closed: Promise.resolve(),
    };
  }
  const toFile = logger.destination !== 'console';
  const dir = toFile ? makeLogDir(process.name, run, target) : '';
  if (logger.destination === 'file' && logger.mode === 'standard') return directOutput(dir, target);
  const limits = {
    maxBytes: logger.mode === 'rotate' ? logger.rotateSizeMb * mib : 0,
    backups: logger.rotateBackups,
  };
  const logs = streams.map((stream) => (toFile ? new RotatingLog(join(dir, stream), limits) : undefined));
  const pipes = openPipes(streams.map((stream) => join(target.taskDir, `.${stream}.${run}.${randomName()}`)));
  for (const pipe of pipes) giveTo(target, pipe.childFd);
  const ends = pipes.map((pipe, i) =>
    pump(pipe, logs[i], logger.destination === 'file' ? undefined : i + 1, target),
  );
  const closed = Promise.all(ends);
  return {
    closed,
    stdio: pipes.map((pipe) => pipe.childFd),
    afterSpawn: () => {
      for (const pipe of pipes) fs.closeSync(pipe.childFd);
    },
    drain: async (withinMs) => {
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, withinMs).unref())]);
      for (const pipe of pipes) pipe.reader.destroy();
      await closed;
    },
  };
}

/** Standard mode: the process writes the files itself, so its output even outlives the runner. */
function directOutput(dir: string, target: OutputTarget): ProcessOutput {
  const fds = streams.map((stream) => openForAppend(join(dir, stream)));
  for (const fd of fds) giveTo(target, fd);
  return {
    stdio: fds,
    afterSpawn: () => {
      for (const fd of fds) fs.closeSync(fd);
    },
    drain: async () => {},
    closed: Promise.resolve(),
  };
}

/** Copies a pipe to its log and, if given, to one of our own descriptors; resolves at the end of the pipe. */
function pump(
  pipe: Pipe,
  log: RotatingLog | undefined,
  ownFd: number | undefined,
  target: OutputTarget,
): Promise<void> {
  let isBroken = false;
  pipe.reader.on('data', (bytes: Buffer) => {
    if (isBroken) return;
    try {
      log?.write(bytes);
      if (ownFd !== undefined) fs.writeSync(ownFd, bytes);
    } catch (error) {
      isBroken = true; // keep reading, or the process would block on a full pipe
      target.onError(error as Error);
    }
  });
  pipe.reader.on('error', target.onError);
  return new Promise((resolve) => {
    pipe.reader.on('close', () => {
      log?.close();
      resolve();
    });
  });
}

/** Makes `.logs/<process>/<run>`; refuses where the task has put a symbolic link in the way. */
function makeLogDir(process: string, run: number, target: OutputTarget): string {
  const parent = processLogDir(target.sandbox, process);
  const dir = join(parent, String(run));
  for (const each of [dirname(parent), parent, dir]) {
    fs.mkdirSync(each, { recursive: true });
    if (!fs.lstatSync(each).isDirectory())
      throw new Error(`${each} is a symbolic link; logs are not written`);
  }
  return dir;
}

function giveTo(target: OutputTarget, fd: number): void {
  if (target.uid !== undefined && target.gid !== undefined) fs.fchownSync(fd, target.uid, target.gid);
}

let names = 0;
function randomName(): string {
  return `${process.pid}.${names++}`;
}
