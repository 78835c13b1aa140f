// Measures what a task uses: memory of its processes and size of its sandbox.
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessEntry } from '../runtime/procfs.ts';
import { proportionalBytes, residentBytes } from '../runtime/procfs.ts';

/**
 * Bytes of memory all processes of the task use. The quick sum of resident sizes counts shared pages once per process;
 * only when that sum is over `limitBytes` is the exact, costly measure taken.
 */
export function memoryBytes(members: readonly ProcessEntry[], limitBytes: number): number {
  const pids = members.map((entry) => entry.pid);
  const resident = sum(pids.map(residentBytes));
  if (resident <= limitBytes) return resident;
  return sum(pids.map((pid) => proportionalBytes(pid) ?? residentBytes(pid)));
}

const blockBytes = 512;

/** Bytes a directory takes on disk, like `du`; links are not followed, what vanishes meanwhile counts nothing. */
export async function directoryBytes(path: string): Promise<number> {
  let total = 0;
  const open = [path];
  for (let dir = open.pop(); dir !== undefined; dir = open.pop()) {
    try {
      for await (const entry of await fs.opendir(dir)) {
        const child = join(dir, entry.name);
        if (entry.isDirectory()) open.push(child);
        const stat = await fs.lstat(child).catch(() => undefined);
        total += (stat?.blocks ?? 0) * blockBytes;
      }
    } catch {
      // removed while we looked
    }
  }
  return total;
}

/** Repeats a measure; a measure that takes long is repeated less often, so that it costs 2% of a core at most. */
export function measureEvery(pollMs: number, measure: () => Promise<void>): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const run = async () => {
    const startedAt = performance.now();
    await measure();
    const tookMs = performance.now() - startedAt;
    if (!isStopped) timer = setTimeout(() => void run(), Math.max(pollMs, tookMs * 50));
  };
  timer = setTimeout(() => void run(), pollMs);
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
