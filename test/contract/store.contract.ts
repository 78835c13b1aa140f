// What every implementation of the store port promises, in parts by subject. Each test makes its own jobs, agents and
// pools, so that the parts can share one pair of tables.
import { afterAll, beforeAll } from 'vitest';
import { agentsContract } from './agents.contract.ts';
import { assignContract } from './assign.contract.ts';
import { budgetContract } from './budget.contract.ts';
import { drainContract } from './drain.contract.ts';
import type { StoreUnderTest } from './engines.ts';
import { jobsContract } from './jobs.contract.ts';
import { pendingContract } from './pending.contract.ts';
import { racesContract } from './races.contract.ts';
import { streamContract } from './stream.contract.ts';
import { sweepingContract } from './sweeping.contract.ts';
import { tasksContract } from './tasks.contract.ts';
import { transitionsContract } from './transitions.contract.ts';
import { updatesContract } from './updates.contract.ts';
import { upkeepContract } from './upkeep.contract.ts';

/** Registers the whole suite; `makeStore` runs once before it. */
export function storeContract(makeStore: () => Promise<StoreUnderTest>): void {
  let made: StoreUnderTest | undefined;
  beforeAll(async () => {
    made = await makeStore();
  });
  afterAll(() => made?.stop());
  const subject = (): StoreUnderTest => {
    if (made === undefined) throw new Error('the store was not made');
    return made;
  };
  for (const part of [
    jobsContract,
    tasksContract,
    transitionsContract,
    pendingContract,
    assignContract,
    agentsContract,
    drainContract,
    sweepingContract,
    upkeepContract,
    updatesContract,
    racesContract,
    streamContract,
    budgetContract,
  ]) {
    part(subject);
  }
}
