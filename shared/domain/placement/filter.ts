// Filter: may this task run on this agent now, and if not, why. The checks and their order are those of
// spec/scheduling.md section 3; the first category that vetoes ends the search, only resources give several reasons.
// This is the readable rule; place.ts keeps a faster form of it that the property tests hold against this one.
import type { Attributes, Ledger } from '../../model/agent.ts';
import type { Reason } from '../../model/reason.ts';
import type { Capacity, Resources } from '../../model/resources.ts';
import type { Constraint } from '../../model/task-config.ts';
import {
  acceptsModel,
  cardShareMilli,
  ledgerFromCapacity,
  portCount,
  portNeed,
  usableCards,
  wholeCard,
} from './ledger.ts';
import type { AgentSnapshot } from './types.ts';

/** What of a task the filters look at. */
export interface Ask {
  readonly resources: Resources;
  readonly constraints: readonly Constraint[];
}

/** How many on-agent tasks of the asking job run on agents with this attribute value. */
export type LimitCount = (attribute: string, value: string) => number;

type Placeable = AgentSnapshot['agent'];

/** The attribute whose agents are kept for the tasks that name it (spec section 3, check 1). */
export const dedicatedAttribute = 'dedicated';

/** An agent's values for an attribute; empty if it lacks it. Names come from users, so inherited keys don't count. */
export function attributeValues(attributes: Attributes, name: string): readonly string[] {
  return Object.hasOwn(attributes, name) ? (attributes[name] ?? []) : [];
}

/** Every reason why the ask can't go to this agent now; none = it can. */
export function vetoes(ask: Ask, snapshot: AgentSnapshot, countOf: LimitCount): readonly Reason[] {
  const { agent, ledger } = snapshot;
  const veto =
    dedicatedVeto(ask, agent) ??
    closedVeto(agent) ??
    constraintVeto(ask.constraints, agent.attributes) ??
    limitVeto(ask.constraints, agent.attributes, countOf);
  return veto ? [veto] : shortfalls(ask.resources, ledger, agent.capacity);
}

/** True if the agent could take the ask were it empty and open: the test behind `neverFits`. */
export function couldEverTake(ask: Ask, agent: Placeable): boolean {
  return (
    !dedicatedVeto(ask, agent) &&
    !constraintVeto(ask.constraints, agent.attributes) &&
    shortfalls(ask.resources, ledgerFromCapacity(agent.agentId, agent.capacity), agent.capacity).length === 0
  );
}

/** True if the constraints ask for dedicated agents by name; "not that one" is no such ask. */
export function claimsDedicated(constraints: readonly Constraint[]): boolean {
  return constraints.some((c) => c.kind === 'value' && !c.negated && c.attribute === dedicatedAttribute);
}

/** DEDICATED: the agent is kept for tasks that ask for it by name and this one doesn't. */
export function dedicatedVeto(ask: Pick<Ask, 'constraints'>, agent: Placeable): Reason | undefined {
  if (attributeValues(agent.attributes, dedicatedAttribute).length === 0) return undefined;
  return claimsDedicated(ask.constraints) ? undefined : { code: 'DEDICATED', attribute: dedicatedAttribute };
}

/** MAINTENANCE: draining and drained agents take nothing new; SCHEDULED ones are only ranked last. AWAY: nobody hears it. */
export function closedVeto(agent: Placeable): Reason | undefined {
  if (agent.presence !== undefined && agent.presence !== 'present') return { code: 'AWAY' };
  return agent.mode === 'DRAINING' || agent.mode === 'DRAINED' ? { code: 'MAINTENANCE' } : undefined;
}

/** CONSTRAINT: the first value constraint that fails, else the first limit on an attribute the agent lacks. */
export function constraintVeto(
  constraints: readonly Constraint[],
  attributes: Attributes,
): Reason | undefined {
  for (const constraint of constraints) {
    if (constraint.kind !== 'value') continue;
    const held = attributeValues(attributes, constraint.attribute);
    const any = constraint.values.some((value) => held.includes(value));
    if (any === constraint.negated) return { code: 'CONSTRAINT', attribute: constraint.attribute };
  }
  for (const constraint of constraints) {
    if (constraint.kind === 'limit' && attributeValues(attributes, constraint.attribute).length === 0) {
      return { code: 'CONSTRAINT', attribute: constraint.attribute };
    }
  }
  return undefined;
}

/** LIMIT: some value of the agent already has as many of the job's tasks as the constraint allows. */
export function limitVeto(
  constraints: readonly Constraint[],
  attributes: Attributes,
  countOf: LimitCount,
): Reason | undefined {
  for (const constraint of constraints) {
    if (constraint.kind !== 'limit') continue;
    for (const value of attributeValues(attributes, constraint.attribute)) {
      const count = countOf(constraint.attribute, value);
      if (count >= constraint.limit) {
        return {
          code: 'LIMIT',
          attribute: constraint.attribute,
          needed: count + 1,
          available: constraint.limit,
        };
      }
    }
  }
  return undefined;
}

/** CPU, RAM, DISK, PORTS, GPU_MODEL, GPU: each resource that falls short, with what is asked and what is there. */
export function shortfalls(resources: Resources, ledger: Ledger, capacity: Capacity): readonly Reason[] {
  const short: Reason[] = [];
  const need = (code: Reason['code'], needed: number, available: number): void => {
    if (needed > available) short.push({ code, needed, available });
  };
  need('CPU', resources.cpuMilli, ledger.freeCpuMilli);
  need('RAM', resources.ramMb, ledger.freeRamMb);
  need('DISK', resources.diskMb, ledger.freeDiskMb);
  need('PORTS', portNeed(resources), Math.max(0, portCount(capacity) - ledger.usedPorts.length));
  if (resources.gpus > 0) {
    const acceptable = ledger.gpus.filter((card) => acceptsModel(resources.gpuModels, card.model));
    if (acceptable.length === 0 && resources.gpuModels.length > 0) {
      short.push({ code: 'GPU_MODEL', needed: resources.gpus * cardShareMilli(resources), available: 0 });
    } else if (usableCards(ledger.gpus, resources) < resources.gpus) {
      const share = cardShareMilli(resources);
      const available =
        share === wholeCard
          ? acceptable.filter((card) => card.freeMilli === wholeCard).length * wholeCard
          : Math.max(0, ...acceptable.map((card) => card.freeMilli));
      short.push({ code: 'GPU', needed: resources.gpus * share, available });
    }
  }
  return short;
}
