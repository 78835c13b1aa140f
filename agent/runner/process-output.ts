// Where the output of one run goes: files in the sandbox (rotated or not), the runner's own stdout, both or nowhere
// (spec/executor.md section 6).
import * as fs from 'node:fs';
import { join, relative } from 'node:path';
import type { ProcessConfig } from '../../shared/model/task-config.ts';
import { isDiskFull } from '../runtime/checkpoint.ts';
import { type InnerDir, openInnerDir } from '../runtime/inner-dir.ts';
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
  const logDir = toFile ? makeLogDir(process.name, run, target) : undefined;
  const dir = logDir?.path ?? '';
  if (logger.destination === 'file' && logger.mode === 'standard') {
    try {
      return directOutput(dir, target);
    } finally {
      logDir?.close();
    }
  }
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
  const closed = Promise.all(ends).finally(() => logDir?.close());
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

/** Makes `.logs/<process>/<run>` and keeps it open; refuses where the task has put a symbolic link in the way. */
function makeLogDir(process: string, run: number, target: OutputTarget): InnerDir {
  const names = relative(target.sandbox, processLogDir(target.sandbox, process)).split('/');
  try {
    return openInnerDir(target.sandbox, [...names, String(run)], { make: true });
  } catch (error) {
    if (isDiskFull(error as Error)) throw error;
    throw new Error('the directory of its logs is not one any more; logs are not written', { cause: error });
  }
}

function giveTo(target: OutputTarget, fd: number): void {
  if (target.uid !== undefined && target.gid !== undefined) fs.fchownSync(fd, target.uid, target.gid);
}

let names = 0;
function randomName(): string {
  return `${process.pid}.${names++}`;
}
