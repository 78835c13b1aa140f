// The arithmetic of one agent's ledger: what fits, what taking and releasing do. The store writes what these say and
// the audit recomputes it; nothing here changes its arguments, and nothing here touches `version`: whoever writes the
// row adds one per write.
import { BorealisError } from '../../lib/errors.ts';
import type { Ledger } from '../../model/agent.ts';
import { liveId } from '../../model/job-key.ts';
import type { Capacity, GpuDevice, Grant, Resources } from '../../model/resources.ts';

/** One whole card, in thousandths. */
export const wholeCard = 1000;

/** Thousandths of each card a task takes: 0 without GPUs, a share only when it asks for part of one card. */
export function cardShareMilli(resources: Pick<Resources, 'gpus' | 'gpuMilli'>): number {
  if (resources.gpus === 0) return 0;
  return resources.gpus === 1 && resources.gpuMilli > 0 ? resources.gpuMilli : wholeCard;
}

/** True if a card of this model is acceptable; an empty list accepts any. */
export function acceptsModel(gpuModels: readonly string[], model: string): boolean {
  return gpuModels.length === 0 || gpuModels.includes(model);
}

/** Port numbers an agent may give out. */
export function portCount(capacity: Pick<Capacity, 'portRange'>): number {
  return Math.max(0, capacity.portRange[1] - capacity.portRange[0] + 1);
}

/** How many port numbers a task needs: one per distinct name. */
export function portNeed(resources: Pick<Resources, 'ports'>): number {
  return resources.ports.length < 2 ? resources.ports.length : new Set(resources.ports).size;
}

/** The ledger of an agent that runs nothing. */
export function ledgerFromCapacity(agentId: string, capacity: Capacity): Ledger {
  return {
    agentId,
    version: 1,
    freeCpuMilli: capacity.cpuMilli,
    freeRamMb: capacity.ramMb,
    freeDiskMb: capacity.diskMb,
    gpus: capacity.gpus.map((model) => ({ model, freeMilli: wholeCard })),
    usedPorts: [],
    live: [],
  };
}

/** Cards of an acceptable model with enough free for one share of the ask. */
export function usableCards(gpus: readonly GpuDevice[], resources: Resources): number {
  const share = cardShareMilli(resources);
  let usable = 0;
  for (const card of gpus) {
    if (card.freeMilli >= share && acceptsModel(resources.gpuModels, card.model)) usable++;
  }
  return usable;
}

/** True if the free amounts cover the ask. Ports are counted only when the agent's capacity is given. */
export function fits(ledger: Ledger, resources: Resources, capacity?: Pick<Capacity, 'portRange'>): boolean {
  return (
    ledger.freeCpuMilli >= resources.cpuMilli &&
    ledger.freeRamMb >= resources.ramMb &&
    ledger.freeDiskMb >= resources.diskMb &&
    (resources.gpus === 0 || usableCards(ledger.gpus, resources) >= resources.gpus) &&
    (capacity === undefined || portCount(capacity) - ledger.usedPorts.length >= portNeed(resources))
  );
}

/** One task's hold on an agent. */
export interface Holding {
  readonly taskId: string;
  readonly resources: Resources;
  readonly grant: Grant;
}

/**
 * The ledger after these tasks took their resources. Refuses (INTERNAL) a task that is already live, a grant that
 * isn't what the resources ask for, and any amount, card or port that isn't free: the last guard against over-commit.
 */
export function takeAll(ledger: Ledger, holdings: readonly Holding[]): Ledger {
  const gpus = ledger.gpus.map((card) => ({ ...card }));
  const ports = new Set(ledger.usedPorts);
  const live = new Set(ledger.live);
  let { freeCpuMilli, freeRamMb, freeDiskMb } = ledger;
  for (const { taskId, resources, grant } of holdings) {
    const id = liveId(taskId);
    if (live.has(id)) throw refused(ledger, taskId, 'it already holds resources there');
    live.add(id);
    freeCpuMilli -= resources.cpuMilli;
    freeRamMb -= resources.ramMb;
    freeDiskMb -= resources.diskMb;
    if (freeCpuMilli < 0 || freeRamMb < 0 || freeDiskMb < 0)
      throw refused(ledger, taskId, 'too little is free');
    takeCards(ledger, gpus, taskId, resources, grant);
    const numbers = Object.values(grant.ports);
    if (numbers.length !== portNeed(resources)) throw refused(ledger, taskId, 'it needs one number per port');
    for (const port of numbers) {
      if (ports.has(port)) throw refused(ledger, taskId, `port ${port} is in use`);
      ports.add(port);
    }
  }
  return {
    agentId: ledger.agentId,
    version: ledger.version,
    freeCpuMilli,
    freeRamMb,
    freeDiskMb,
    gpus,
    usedPorts: [...ports],
    live: [...live],
  };
}

/** The ledger after one task took its resources; see takeAll. */
export function take(ledger: Ledger, resources: Resources, grant: Grant, taskId: string): Ledger {
  return takeAll(ledger, [{ taskId, resources, grant }]);
}

/** The ledger after a task gave its resources back; the same ledger if the task isn't live, so twice is once. */
export function release(ledger: Ledger, resources: Resources, grant: Grant, taskId: string): Ledger {
  const id = liveId(taskId);
  if (!ledger.live.includes(id)) return ledger;
  const gpus = ledger.gpus.map((card) => ({ ...card }));
  for (const [device, milli] of grant.gpus) {
    const card = gpus[device];
    if (card) card.freeMilli += milli;
  }
  const given = new Set(Object.values(grant.ports));
  return {
    ...ledger,
    freeCpuMilli: ledger.freeCpuMilli + resources.cpuMilli,
    freeRamMb: ledger.freeRamMb + resources.ramMb,
    freeDiskMb: ledger.freeDiskMb + resources.diskMb,
    gpus,
    usedPorts: ledger.usedPorts.filter((port) => !given.has(port)),
    live: ledger.live.filter((one) => one !== id),
  };
}

function takeCards(
  ledger: Ledger,
  gpus: GpuDevice[],
  taskId: string,
  resources: Resources,
  grant: Grant,
): void {
  const share = cardShareMilli(resources);
  if (grant.gpus.length !== resources.gpus) throw refused(ledger, taskId, `it needs ${resources.gpus} cards`);
  for (const [device, milli] of grant.gpus) {
    const card = gpus[device];
    if (!card || milli !== share || card.freeMilli < milli) {
      throw refused(ledger, taskId, `card ${device} has not ${share} thousandths free`);
    }
    if (!acceptsModel(resources.gpuModels, card.model)) {
      throw refused(ledger, taskId, `card ${device} is a ${card.model}`);
    }
    card.freeMilli -= milli;
  }
}

function refused(ledger: Ledger, taskId: string, why: string): BorealisError {
  return new BorealisError(
    'INTERNAL',
    `task ${taskId} cannot take its grant on agent ${ledger.agentId}: ${why}. Nothing was taken; read the agent again and plan anew.`,
    { details: { taskId, agentId: ledger.agentId, ledgerVersion: ledger.version } },
  );
}
