// The pure placement core: filter -> rank -> plan over one pool of agents, and the arithmetic of ledgers.
export { auditLedger } from './audit.ts';
export { attributeValues, couldEverTake, type LimitCount, vetoes } from './filter.ts';
export { fits, type Holding, ledgerFromCapacity, release, take, takeAll, wholeCard } from './ledger.ts';
export { inPlanningOrder } from './order.ts';
export { planPlacement } from './place.ts';
export { rebuildLedger } from './rebuild.ts';
export { judgeLedger } from './suspect.ts';
export type {
  AgentSnapshot,
  Assignment,
  PendingTask,
  PlacementOptions,
  PlacementPlan,
  PlacementSnapshot,
  RunningTask,
  Unplaced,
} from './types.ts';
