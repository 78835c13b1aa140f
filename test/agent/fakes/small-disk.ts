// A file system that is soon full, for tests run by root.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryDir } from './agent-fixture.ts';

/** Whether this process may mount a tmpfs (tried in a mount namespace of its own). */
export const canMount = process.getuid?.() === 0 && tryMount();

/** An empty tmpfs of this size (and this many files at most), gone after the test. */
export function smallDisk(sizeMb: number, maxFiles = 10_000): string {
  const dir = join(temporaryDir(), 'disk');
  mkdirSync(dir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,nr_inodes=${maxFiles}`, 'tmpfs', dir]);
  onTestFinished(() => void execFileSync('umount', ['-l', dir]));
  return dir;
}

function tryMount(): boolean {
  const mount = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', tmpdir()];
  try {
    execFileSync('unshare', ['-m', ...mount], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
