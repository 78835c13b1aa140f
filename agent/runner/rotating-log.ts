// One log stream of a process on disk: appended to, rotated by size with a number of backups (spec/executor.md
// section 6). A write that brings the file to the size shifts .1 -> .2 ..., the file -> .1, and begins a new one.
import * as fs from 'node:fs';
import { openOwnFile } from '../runtime/inner-dir.ts';

export interface RotationLimits {
  /** Bytes at which the file is rotated; 0 = never. */
  readonly maxBytes: number;
  readonly backups: number;
}

/** Whether a file of this size is due (pure; the decision apart from the renames). */
export function isRotationDue(limits: RotationLimits, sizeBytes: number): boolean {
  return limits.maxBytes > 0 && sizeBytes >= limits.maxBytes;
}

/** The renames of one rotation in the order to do them: [from, to]; the oldest is overwritten. */
export function rotationRenames(path: string, backups: number): [string, string][] {
  const renames: [string, string][] = [];
  for (let n = backups - 1; n >= 1; n--) renames.push([`${path}.${n}`, `${path}.${n + 1}`]);
  renames.push([path, `${path}.1`]);
  return renames;
}

/** File that holds how many bytes were rotated out of a log, so that readers can follow it by a steady offset. */
export function rotatedBytesFile(path: string): string {
  return `${path}.rotated`;
}

export class RotatingLog {
  readonly path: string;
  readonly #limits: RotationLimits;
  readonly #write: (fd: number, bytes: Buffer) => number;
  #fd: number;
  #size: number;
  #rotatedBytes: number;

  /** Opens the file for append. `write` is replaced in tests that need a full disk. */
  constructor(
    path: string,
    limits: RotationLimits,
    write: (fd: number, bytes: Buffer) => number = fs.writeSync,
  ) {
    this.path = path;
    this.#limits = limits;
    this.#write = write;
    this.#fd = openForAppend(path);
    this.#size = fs.fstatSync(this.#fd).size;
    this.#rotatedBytes = 0;
  }

  /** Appends; throws the file system's error (a full disk) with what was written before it still counted. */
  write(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      const written = this.#write(this.#fd, rest);
      this.#size += written;
      rest = rest.subarray(written);
    }
    if (isRotationDue(this.#limits, this.#size)) this.#rotate();
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #rotate(): void {
    this.#rotatedBytes += this.#size;
    for (const [from, to] of rotationRenames(this.path, this.#limits.backups)) {
      if (fs.existsSync(from)) fs.renameSync(from, to);
    }
    const fresh = openForAppend(this.path);
    fs.closeSync(this.#fd);
    this.#fd = fresh;
    this.#size = 0;
    const { O_WRONLY, O_CREAT } = fs.constants;
    const count = openOwnFile(rotatedBytesFile(this.path), O_WRONLY | O_CREAT);
    fs.ftruncateSync(count);
    fs.writeSync(count, String(this.#rotatedBytes));
    fs.closeSync(count);
  }
}

/** Opens a log; never through a symbolic link, since the sandbox belongs to the task and the runner may be root. */
export function openForAppend(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT } = fs.constants;
  return openOwnFile(path, O_WRONLY | O_APPEND | O_CREAT);
}
