// Audit: does a ledger say what its agent's capacity and the tasks on it add up to? Run over the store after a replay
// and by the sweeper; each difference is named.
import type { Ledger } from '../../model/agent.ts';
import { liveId } from '../../model/job-key.ts';
import type { Capacity } from '../../model/resources.ts';
import {
  acceptsModel,
  cardShareMilli,
  type Holding,
  ledgerFromCapacity,
  portNeed,
  wholeCard,
} from './ledger.ts';

/** What is wrong with one ledger. */
export interface LedgerViolation {
  readonly code: /** The tasks together hold more than the agent has, or the ledger is below zero. */
    | 'OVER_COMMIT'
    /** The ledger has less free than capacity minus tasks: nobody will give it back. */
    | 'LEAKED'
    /** The ledger has more free than capacity minus tasks: it invites over-commit. */
    | 'UNCOUNTED'
    /** Cards hold more than 1000 thousandths. */
    | 'GPU_DOUBLE_USE'
    /** A grant is not what its task asked for, or names cards the agent lacks. */
    | 'BAD_GRANT'
    /** Two tasks hold one port. */
    | 'PORT_DOUBLE_USE'
    /** A task's port is outside the agent's range. */
    | 'PORT_OUT_OF_RANGE'
    /** `live` names a task that isn't on the agent. */
    | 'LIVE_WITHOUT_TASK'
    /** A task on the agent isn't in `live`. */
    | 'TASK_NOT_LIVE';
  readonly agentId: string;
  /** cpuMilli, ramMb, diskMb, `gpu 3`, `port 8080`, or a task id. */
  readonly what: string;
  readonly expected?: number;
  readonly found?: number;
}

type Report = (code: LedgerViolation['code'], what: string, expected?: number, found?: number) => void;

/** Every difference between a ledger and what capacity and tasks (those in on-agent states) add up to. */
export function auditLedger(
  capacity: Capacity,
  ledger: Ledger,
  tasks: readonly Holding[],
): readonly LedgerViolation[] {
  const violations: LedgerViolation[] = [];
  const report: Report = (code, what, expected, found) => {
    violations.push({
      code,
      agentId: ledger.agentId,
      what,
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
    });
  };
  auditAmounts(capacity, ledger, tasks, report);
  auditCards(capacity, ledger, tasks, report);
  auditPorts(capacity, ledger, tasks, report);
  auditLive(ledger, tasks, report);
  return violations;
}

function auditAmounts(capacity: Capacity, ledger: Ledger, tasks: readonly Holding[], report: Report): void {
  const empty = ledgerFromCapacity(ledger.agentId, capacity);
  for (const [free, asked] of [
    ['freeCpuMilli', 'cpuMilli'],
    ['freeRamMb', 'ramMb'],
    ['freeDiskMb', 'diskMb'],
  ] as const) {
    const expected = tasks.reduce((rest, { resources }) => rest - resources[asked], empty[free]);
    compareFree(asked, expected, ledger[free], 'OVER_COMMIT', report);
  }
}

function compareFree(
  what: string,
  expected: number,
  found: number,
  over: 'OVER_COMMIT' | 'GPU_DOUBLE_USE',
  report: Report,
): void {
  if (expected < 0 || found < 0) report(over, what, 0, Math.min(expected, found));
  if (found < expected) report('LEAKED', what, expected, found);
  if (found > expected) report('UNCOUNTED', what, expected, found);
}

function auditCards(capacity: Capacity, ledger: Ledger, tasks: readonly Holding[], report: Report): void {
  // A card may be gone while a task holds it; what is held of it counts against nothing.
  const cards = Math.max(capacity.gpus.length, ledger.gpus.length);
  const expected = Array.from({ length: cards }, (_, device) =>
    capacity.gpus[device] === undefined ? 0 : wholeCard,
  );
  for (const { taskId, resources, grant } of tasks) {
    const share = cardShareMilli(resources);
    const devices = new Set(grant.gpus.map(([device]) => device));
    let asAsked = grant.gpus.length === resources.gpus && devices.size === resources.gpus;
    for (const [device, milli] of grant.gpus) {
      const model = capacity.gpus[device];
      asAsked &&= milli === share && model !== undefined && acceptsModel(resources.gpuModels, model);
      if (expected[device] !== undefined) expected[device] -= milli;
    }
    if (!asAsked) report('BAD_GRANT', taskId, resources.gpus, grant.gpus.length);
  }
  for (const [device, free] of expected.entries()) {
    const found = ledger.gpus[device]?.freeMilli ?? 0;
    compareFree(`gpu ${device}`, free, found, 'GPU_DOUBLE_USE', report);
  }
}

function auditPorts(capacity: Capacity, ledger: Ledger, tasks: readonly Holding[], report: Report): void {
  const held = new Set<number>();
  const used = new Set(ledger.usedPorts);
  if (used.size !== ledger.usedPorts.length) report('PORT_DOUBLE_USE', 'ledger');
  for (const { taskId, resources, grant } of tasks) {
    const ports = Object.values(grant.ports);
    if (ports.length !== portNeed(resources)) report('BAD_GRANT', taskId, portNeed(resources), ports.length);
    for (const port of ports) {
      if (held.has(port)) report('PORT_DOUBLE_USE', `port ${port}`);
      if (!used.has(port)) report('UNCOUNTED', `port ${port}`);
      if (port < capacity.portRange[0] || port > capacity.portRange[1])
        report('PORT_OUT_OF_RANGE', `port ${port}`);
      held.add(port);
    }
  }
  for (const port of used) if (!held.has(port)) report('LEAKED', `port ${port}`);
}

function auditLive(ledger: Ledger, tasks: readonly Holding[], report: Report): void {
  const live = new Set(ledger.live);
  const ids = new Set(tasks.map(({ taskId }) => liveId(taskId)));
  for (const id of live) if (!ids.has(id)) report('LIVE_WITHOUT_TASK', id);
  for (const id of ids) if (!live.has(id)) report('TASK_NOT_LIVE', id);
}
