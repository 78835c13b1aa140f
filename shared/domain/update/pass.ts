// One direction of an update as the engine walks it: who has had their turn, whose turn it is, what each shall run.
// The record holds two counters and a few ranges; a pass is the same thing opened up for lookups.
import { listInstances } from '../../model/instance-ranges.ts';
import type { UpdateRecord } from '../../model/update.ts';
import { configLookup, type InstanceOrder, orderOf } from './order.ts';
import { isGoingBack } from './status-machine.ts';
import { type Group, groupLimit, nextGroup, nextGroupBack } from './strategy.ts';

export interface Pass {
  readonly back: boolean;
  readonly order: InstanceOrder;
  /** The config an instance of the update shall run at the end of this direction; undefined = none. */
  readonly target: (instance: number) => string | undefined;
  /** The config an instance had before the update. */
  readonly initial: (instance: number) => string | undefined;
  readonly desired: (instance: number) => string | undefined;
  /** When the turn of each instance that has it now began, in the order of turns. */
  readonly working: Map<number, number>;
  readonly taken: Set<number>;
  readonly failed: Set<number>;
  visited: number;
  revisited: number;
}

/** Opens up the present direction of a record. */
export function openPass(update: UpdateRecord): Pass {
  const { progress } = update;
  const back = isGoingBack(update.status);
  const order = orderOf(update);
  const initial = configLookup(update.initial);
  const desired = configLookup(update.desired);
  return {
    back,
    order,
    target: back ? initial : desired,
    initial,
    desired,
    working: openWorking(update, order, back),
    taken: new Set(listInstances(progress.taken)),
    failed: new Set(listInstances(progress.failed)),
    visited: progress.visited,
    revisited: progress.revisited,
  };
}

/** In the order of turns, so that who goes first is the same at every evaluation. */
function openWorking({ progress }: UpdateRecord, order: InstanceOrder, back: boolean): Map<number, number> {
  const turns = progress.working.flatMap(({ since, instances }) =>
    listInstances(instances).map((instance) => ({
      instance,
      since,
      position: order.positionOf(instance) ?? 0,
    })),
  );
  turns.sort((a, b) => (back ? b.position - a.position : a.position - b.position));
  return new Map(turns.map(({ instance, since }) => [instance, since]));
}

/** The instances that go next, in the order of their turns; none while the strategy holds them back. */
export function nextTurns(pass: Pass, update: Pick<UpdateRecord, 'settings'>): number[] {
  const { start, end } = groupOf(pass, update);
  const group = pass.order.slice(start, end);
  return pass.back ? group.reverse() : group;
}

function groupOf(pass: Pass, { settings }: Pick<UpdateRecord, 'settings'>): Group {
  const working = pass.working.size;
  return pass.back
    ? nextGroupBack(settings.strategy, { left: pass.visited - pass.revisited, working })
    : nextGroup(settings.strategy, { visited: pass.visited, working, total: pass.order.length });
}

/** Has every instance of this direction had its turn? */
export function noneLeft(pass: Pass): boolean {
  return pass.back ? pass.revisited === pass.visited : pass.visited === pass.order.length;
}

/** The most instances that may be down at once while the present group is worked on. */
export function limitOf(pass: Pass, { settings }: Pick<UpdateRecord, 'settings'>): number {
  const position = pass.back ? pass.visited - pass.revisited : pass.visited - 1;
  return groupLimit(settings.strategy, Math.max(0, position));
}
