// The ledger of an agent worked out anew from what it has and what runs on it. For a store that was restored: effects
// that were under way at that moment (a release, above all) are gone with the old stream, and nobody else repeats them.
import type { Ledger } from '../../model/agent.ts';
import type { Capacity } from '../../model/resources.ts';
import { auditLedger } from './audit.ts';
import { type Holding, ledgerFromCapacity, takeAll } from './ledger.ts';

/** The right ledger (next version), or undefined if the stored one is right. `stored` absent: there is none. */
export function rebuildLedger(
  agent: { readonly agentId: string; readonly capacity: Capacity },
  stored: Ledger | undefined,
  tasks: readonly Holding[],
): Ledger | undefined {
  if (stored && auditLedger(agent.capacity, stored, tasks).length === 0) return undefined;
  const empty = ledgerFromCapacity(agent.agentId, agent.capacity);
  return { ...takeAll(empty, tasks), version: (stored?.version ?? 0) + 1 };
}
