// Plan: one pass over everything that waits in a pool, in strict order, against the agents as they were read. An ask
// that fits nowhere is passed over and never holds up the next. Nothing is written here: the caller commits each
// assignment on the ledger's version and plans again for the agents that refuse (design D2-D4).
import type { Ledger } from '../../model/agent.ts';
import type { PendingReason } from '../../model/reason.ts';
import type { Grant } from '../../model/resources.ts';
import { Explainer } from './explain.ts';
import type { LimitCount } from './filter.ts';
import { Fleet } from './fleet.ts';
import { PortTurn } from './grant.ts';
import { type Holding, portNeed, takeAll } from './ledger.ts';
import { inPlanningOrder } from './order.ts';
import { Ranker } from './rank.ts';
import { type Search, type Shape, ShapeBook } from './shape.ts';
import { typicalAsks } from './stranded.ts';
import type {
  AgentSnapshot,
  Assignment,
  PendingTask,
  PlacementOptions,
  PlacementPlan,
  PlacementSnapshot,
} from './types.ts';

interface Given {
  readonly ports: PortTurn;
  readonly holdings: Holding[];
}

/** Decides who goes where. `now` (epoch ms) only dates the reasons. */
export function planPlacement(
  snapshot: PlacementSnapshot,
  now: number,
  options: PlacementOptions = {},
): PlacementPlan {
  const fleet = new Fleet(snapshot.agents);
  const book = new ShapeBook(fleet, snapshot.running, options);
  const tasks = inPlanningOrder(snapshot.pending);
  const shapes = tasks.map((task) => book.enter(task));
  const ranker = new Ranker(fleet, typicalAsks(book.demands()));
  const given = new Map<number, Given>();
  const left: { task: PendingTask; shape: Shape }[] = [];
  for (const [index, task] of tasks.entries()) {
    const shape = shapes[index] as Shape;
    const at = shape.exhausted ? undefined : bestAgent(book.searchOf(shape, ranker));
    book.leave(shape);
    if (at === undefined) {
      shape.exhausted = true;
      left.push({ task, shape });
      continue;
    }
    const { demand } = shape.kind;
    const cards = fleet.take(at, demand, portNeed(task.resources), ranker.bestCard(at, demand));
    book.countsOf(task.jobPath)?.add(at);
    let gift = given.get(at);
    if (!gift) {
      gift = { ports: new PortTurn(fleet.snapshots[at] as AgentSnapshot), holdings: [] };
      given.set(at, gift);
    }
    const grant: Grant = { gpus: cards, ports: gift.ports.give(task.resources.ports) };
    gift.holdings.push({ taskId: task.taskId, resources: task.resources, grant });
  }
  const assignments = [...given.entries()]
    .sort(([a], [b]) => a - b)
    .map(([at, { holdings }]) => assignment((fleet.snapshots[at] as AgentSnapshot).ledger, holdings));
  return { assignments, unplaced: reasoned(left, fleet, book, assignments, now) };
}

function bestAgent({ gate, finder }: Search): number | undefined {
  return finder.best(gate);
}

/** takeAll does the sums again from the ledger itself, so a mistake of the plan ends here and not on an agent. */
function assignment(ledger: Ledger, holdings: readonly Holding[]): Assignment {
  return {
    agentId: ledger.agentId,
    ledgerVersion: ledger.version,
    tasks: holdings.map(({ taskId, grant }) => ({ taskId, grant })),
    after: { ...takeAll(ledger, holdings), version: ledger.version + 1 },
  };
}

/** Reasons are told of the agents as this plan leaves them, once per shape. */
function reasoned(
  left: readonly { task: PendingTask; shape: Shape }[],
  fleet: Fleet,
  book: ShapeBook,
  assignments: readonly Assignment[],
  now: number,
): PlacementPlan['unplaced'] {
  if (left.length === 0) return [];
  const ledgers = new Map(assignments.map(({ agentId, after }) => [agentId, after]));
  const agents = fleet.snapshots.map(
    ({ agent, ledger }): AgentSnapshot => ({ agent, ledger: ledgers.get(agent.agentId) ?? ledger }),
  );
  const explainer = new Explainer(agents, now);
  const reasons = new Map<string, PendingReason>();
  return left.map(({ task, shape }) => {
    let reason = reasons.get(shape.key);
    if (!reason) {
      reason = explainer.explain(shape, limitCounts(fleet, book, shape));
      reasons.set(shape.key, reason);
    }
    return { taskId: task.taskId, shapeKey: shape.key, reason };
  });
}

function limitCounts(fleet: Fleet, book: ShapeBook, shape: Shape): LimitCount {
  const job = book.countsOf(shape.jobPath);
  return (attribute, value) => {
    const index = fleet.attribute(attribute);
    const number = index.numberOf(value);
    return number === undefined ? 0 : (job?.countsOf(index).get(number) ?? 0);
  };
}
