// Scenarios that aim at something that seldom happens by chance. Each is run before the seeds, whatever is being looked
// for, and says by `missed` when the product has moved on and it does not meet its aim any more.
import type { DirectedScenario } from './build.ts';
import { ends } from './ends.ts';
import { history } from './history.ts';
import { lateness } from './lateness.ts';
import { machines } from './machines.ts';
import { races } from './races.ts';
import { updateStatuses } from './update-statuses.ts';
import { updates } from './updates.ts';
import { upkeep } from './upkeep.ts';

export const directed: readonly DirectedScenario[] = [
  ...races,
  ...updates,
  ...machines,
  ...upkeep,
  ...ends,
  ...updateStatuses,
  ...history,
  ...lateness,
];
