// The ledger of an agent that comes back with another capacity: what its tasks hold stays held.
import { wholeCard } from '../domain/placement/ledger.ts';
import type { Ledger } from '../model/agent.ts';
import type { Capacity, GpuDevice } from '../model/resources.ts';

/**
 * Free amounts move by the difference between the capacities and may become negative, which only means that nothing
 * more fits. The same goes for each card by its index: one that is gone stays in the ledger, below zero, for as long as
 * tasks hold something of it, so that it comes back without what they hold and not as if nobody had it.
 */
export function rebaseLedger(ledger: Ledger, before: Capacity, after: Capacity): Ledger {
  return {
    ...ledger,
    version: ledger.version + 1,
    freeCpuMilli: ledger.freeCpuMilli + after.cpuMilli - before.cpuMilli,
    freeRamMb: ledger.freeRamMb + after.ramMb - before.ramMb,
    freeDiskMb: ledger.freeDiskMb + after.diskMb - before.diskMb,
    gpus: rebaseCards(ledger.gpus, before.gpus, after.gpus),
  };
}

function rebaseCards(
  held: readonly GpuDevice[],
  before: readonly string[],
  after: readonly string[],
): GpuDevice[] {
  const cards = Array.from({ length: Math.max(held.length, after.length) }, (_, index): GpuDevice => {
    const gained = Number(after[index] !== undefined) - Number(before[index] !== undefined);
    return {
      model: after[index] ?? held[index]?.model ?? '',
      freeMilli: (held[index]?.freeMilli ?? 0) + gained * wholeCard,
    };
  });
  const lastInUse = cards.findLastIndex(({ freeMilli }) => freeMilli !== 0);
  return cards.slice(0, Math.max(after.length, lastInUse + 1));
}
