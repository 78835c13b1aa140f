// One agent per work directory: two would start every task twice.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { BorealisError } from '../shared/lib/errors.ts';
import { identify, isSameAlive } from './runtime/procfs.ts';
import type { ProcessIdentity } from './runtime/spec.ts';

/** Takes the directory; throws CONFLICT while another live agent has it. Returns what gives it back. */
export function lockWorkDir(workDir: string): () => void {
  fs.mkdirSync(workDir, { recursive: true, mode: 0o755 });
  const path = join(workDir, 'agent.lock');
  const mine = `${path}.${process.pid}`;
  fs.writeFileSync(mine, JSON.stringify(identify(process.pid) ?? { pid: process.pid }));
  try {
    if (!tryLink(mine, path)) {
      refuseIfAlive(path, workDir);
      fs.rmSync(path, { force: true });
      if (!tryLink(mine, path)) refuseIfAlive(path, workDir);
    }
  } finally {
    fs.rmSync(mine, { force: true });
  }
  return () => fs.rmSync(path, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function refuseIfAlive(path: string, workDir: string): void {
  let owner: ProcessIdentity;
  try {
    owner = JSON.parse(fs.readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    return; // gone or not a lock
  }
  if (!isSameAlive(owner)) return;
  throw new BorealisError(
    'CONFLICT',
    `an agent (pid ${owner.pid}) already uses the work directory ${workDir}; nothing was started. Stop it or give another directory.`,
  );
}
