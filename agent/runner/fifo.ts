// A real pipe between a process and its runner. Node's own 'pipe' is a socket pair, on which `echo x > /dev/stderr`
// (common in shell scripts) fails; so a FIFO is made, opened at both ends and removed at once.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { Socket } from 'node:net';

/** The child's end as a file descriptor (close it after the spawn) and ours as a stream. */
export interface Pipe {
  readonly childFd: number;
  readonly reader: Socket;
}

/** Makes pipes under names that must not exist yet; throws if the system can't make them. */
export function openPipes(paths: readonly string[]): Pipe[] {
  if (paths.length === 0) return [];
  const made = spawnSync('mkfifo', ['-m', '600', ...paths], { encoding: 'utf8' });
  if (made.error) throw made.error;
  if (made.status !== 0) throw new Error(made.stderr.trim());
  return paths.map((path) => {
    // The reading end first and not blocking: then the writing end opens at once, and is a blocking one as programs
    // expect of their stdout.
    const readFd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const childFd = fs.openSync(path, fs.constants.O_WRONLY);
    fs.unlinkSync(path);
    return { childFd, reader: new Socket({ fd: readFd, readable: true, writable: false }) };
  });
}
