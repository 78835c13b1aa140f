// The ledger of an agent that comes back with another capacity: what its tasks hold stays held.
import { wholeCard } from '../domain/placement/ledger.ts';
import type { Ledger } from '../model/agent.ts';
import type { Capacity } from '../model/resources.ts';

/**
 * Free amounts move by the difference between the capacities and may become negative, which only means that nothing
 * more fits. A card keeps what is taken of it by its index; a card that is gone takes its commitments with it.
 */
export function rebaseLedger(ledger: Ledger, before: Capacity, after: Capacity): Ledger {
  return {
    ...ledger,
    version: ledger.version + 1,
    freeCpuMilli: ledger.freeCpuMilli + after.cpuMilli - before.cpuMilli,
    freeRamMb: ledger.freeRamMb + after.ramMb - before.ramMb,
    freeDiskMb: ledger.freeDiskMb + after.diskMb - before.diskMb,
    gpus: after.gpus.map((model, index) => ({
      model,
      freeMilli: ledger.gpus[index]?.freeMilli ?? wholeCard,
    })),
  };
}
