// Which ended tasks' folders go: those past their retention, and while the disk is too full, the oldest first
// (spec/executor.md section 5). Users must treat sandboxes of ended tasks as best effort.
import { statfs } from 'node:fs/promises';

export interface GcCandidate {
  readonly taskId: string;
  readonly endedAt: number;
}

export interface GcLimits {
  readonly retentionMs: number;
  /** Share of the file system in use above which sandboxes go early, 0..1. */
  readonly diskThreshold: number;
}

/** Past their retention, oldest first. */
function expired(candidates: readonly GcCandidate[], limits: GcLimits, now: number): GcCandidate[] {
  return oldestFirst(candidates).filter(({ endedAt }) => now - endedAt >= limits.retentionMs);
}

/**
 * Removes what is due. `usedShare` is asked again before each early removal, so no more goes than is needed.
 * Returns the ids removed.
 */
export async function collectSandboxes(
  candidates: readonly GcCandidate[],
  limits: GcLimits,
  now: number,
  usedShare: () => Promise<number>,
  remove: (taskId: string) => Promise<void>,
): Promise<string[]> {
  const removed: string[] = [];
  const removeOne = async ({ taskId }: GcCandidate) => {
    await remove(taskId);
    removed.push(taskId);
  };
  const due = expired(candidates, limits, now);
  for (const candidate of due) await removeOne(candidate);
  const rest = oldestFirst(candidates).slice(due.length);
  for (const candidate of rest) {
    if ((await usedShare()) <= limits.diskThreshold) break;
    await removeOne(candidate);
  }
  return removed;
}

/** Share of the file system of a path that is in use, as `df` counts it. */
export async function usedShareOf(path: string): Promise<number> {
  const { blocks, bfree, bavail } = await statfs(path);
  const used = blocks - bfree;
  return used + bavail === 0 ? 0 : used / (used + bavail);
}

function oldestFirst(candidates: readonly GcCandidate[]): GcCandidate[] {
  return [...candidates].sort((a, b) => a.endedAt - b.endedAt);
}
