// Directories inside a sandbox, which belongs to the task while the agent may be root: each is opened by itself and never
// through a symbolic link, and what is done in it goes through the open directory. So it does not matter what the task
// renames or replaces meanwhile.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { hasProcfs } from './procfs.ts';

export interface InnerDir {
  /** Leads to the opened directory itself, whatever its name leads to by now (only on Linux). */
  readonly path: string;
  close(): void;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** Opens `names` below `root`, one in the other; `make` creates what is missing. Throws where one is a link or no directory. */
export function openInnerDir(
  root: string,
  names: readonly string[],
  { make }: { readonly make: boolean },
): InnerDir {
  let dir = openDir(root);
  for (const name of names) {
    const outer = dir;
    try {
      const child = join(outer.path, name);
      if (make) makeDir(child);
      dir = openDir(child);
    } finally {
      outer.close();
    }
  }
  return dir;
}

function makeDir(path: string): void {
  try {
    fs.mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function openDir(path: string): InnerDir {
  // Without /proc names are all there is; a link is then refused, but one put there later is not noticed.
  const fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!hasProcfs) {
    fs.closeSync(fd);
    return { path, close: () => {} };
  }
  return { path: `/proc/self/fd/${fd}`, close: () => fs.closeSync(fd) };
}

/**
 * Opens a file of a sandbox for writing: no link, no FIFO on which the opening would hang, and no second name of a file
 * that is elsewhere.
 */
export function openOwnFile(path: string, flags: number): number {
  const fd = fs.openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o644);
  const stat = fs.fstatSync(fd);
  if (stat.isFile() && stat.nlink === 1) return fd;
  fs.closeSync(fd);
  throw new Error('it is not a plain file of the task');
}
