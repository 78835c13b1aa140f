// Reads a piece of a process log by an offset that stays good across rotation: byte 0 is the first byte the process
// ever wrote, whatever file it is in by now.
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join, relative } from 'node:path';
import { rotatedBytesFile } from '../runner/rotating-log.ts';
import { type InnerDir, openInnerDir } from '../runtime/inner-dir.ts';
import { processLogDir } from '../runtime/layout.ts';

export interface LogPiece {
  readonly run: number;
  /** Where the bytes begin; later than asked for if older ones were rotated away. */
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface LogQuery {
  readonly sandbox: string;
  readonly process: string;
  readonly stream: 'stdout' | 'stderr';
  /** The last run if absent. */
  readonly run?: number;
  /** Counted from the end if negative. */
  readonly offset: number;
  readonly length: number;
}

/** One file of a log and where it begins in the whole. */
interface Segment {
  readonly path: string;
  readonly start: number;
  readonly size: number;
}

/** The piece asked for (empty at the end of the log), or undefined if the process has no such run. */
export async function readLog(query: LogQuery): Promise<LogPiece | undefined> {
  const run = query.run ?? (await lastRun(processLogDir(query.sandbox, query.process)));
  if (run === undefined) return undefined;
  const dir = openRun(query, run);
  if (!dir) return undefined;
  try {
    return await readSegments(await listSegments(join(dir.path, query.stream)), query, run);
  } finally {
    dir.close();
  }
}

/** The directory of a run, or undefined if there is none (or the task has put something else there). */
function openRun({ sandbox, process }: LogQuery, run: number): InnerDir | undefined {
  const names = relative(sandbox, processLogDir(sandbox, process)).split('/');
  try {
    return openInnerDir(sandbox, [...names, String(run)], { make: false });
  } catch {
    return undefined;
  }
}

async function readSegments(
  segments: readonly Segment[],
  query: LogQuery,
  run: number,
): Promise<LogPiece | undefined> {
  const last = segments.at(-1);
  const first = segments[0];
  if (!last || !first) return undefined;
  const end = last.start + last.size;
  const wanted = query.offset < 0 ? end + query.offset : query.offset;
  const offset = Math.min(end, Math.max(first.start, wanted));
  const segment = segments.findLast((each) => each.start <= offset) ?? last;
  const bytes = await readRange(segment.path, offset - segment.start, query.length);
  return { run, offset, bytes };
}

async function lastRun(dir: string): Promise<number | undefined> {
  const names = await fs.readdir(dir).catch(() => []);
  const runs = names.filter((name) => /^\d+$/.test(name)).map(Number);
  return runs.length === 0 ? undefined : Math.max(...runs);
}

/** The files of a log, oldest first; tried again if a rotation happened meanwhile. */
async function listSegments(path: string): Promise<Segment[]> {
  for (let attempt = 0; ; attempt++) {
    const before = await rotatedBytes(path);
    const segments = await listOnce(path, before);
    if (before === (await rotatedBytes(path)) || attempt === 3) return segments;
  }
}

async function listOnce(path: string, rotated: number): Promise<Segment[]> {
  const current = await sizeOf(path);
  if (current === undefined) return [];
  const segments: Segment[] = [{ path, start: rotated, size: current }];
  for (let n = 1, end = rotated; ; n++) {
    const size = await sizeOf(`${path}.${n}`);
    if (size === undefined) return segments;
    end -= size;
    segments.unshift({ path: `${path}.${n}`, start: end, size });
  }
}

async function rotatedBytes(path: string): Promise<number> {
  const flag = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const text = await fs.readFile(rotatedBytesFile(path), { encoding: 'utf8', flag }).catch(() => '0');
  return Number(text) || 0;
}

async function sizeOf(path: string): Promise<number | undefined> {
  const stat = await fs.lstat(path).catch(() => undefined);
  return stat?.isFile() ? stat.size : undefined;
}

async function readRange(path: string, position: number, length: number): Promise<Buffer> {
  // Never through a link: the task owns this directory and could point it at the agent's own files.
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - position)));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
