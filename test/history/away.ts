// How long there was no control plane: nothing could be seen to in that time.
import type { History } from './history.ts';

/** Milliseconds between two times in which the control plane was away. */
export function awayMs({ faults }: Pick<History, 'faults'>, from: number, to: number): number {
  return faults
    .filter(({ kind }) => kind === 'outage')
    .reduce((sum, outage) => sum + Math.max(0, Math.min(to, outage.to) - Math.max(from, outage.from)), 0);
}
