// Judges a recorded history: every rule, all violations. Pure.
import type { History, Violation } from './history.ts';
import {
  desiredAsAsked,
  endsAnnounced,
  everythingSettled,
  killsTookEffect,
  versionsGrow,
} from './rules/accepted.ts';
import { constraintsKept, deadlinesKept, oneLiveGeneration, withinCapacity } from './rules/placement.ts';
import {
  booksClosed,
  noLeftovers,
  noneGivenUp,
  realityAsTold,
  startedOnce,
  workDone,
} from './rules/reality.ts';
import { endsAreFinal, legalTransitions, nothingUntold, timesGoForward } from './rules/task-life.ts';
import { type Timeline, timelinesOf } from './timelines.ts';

type Rule = (history: History, timelines: ReadonlyMap<string, Timeline>) => Violation[];

/** By the name its violations carry. */
export const rules: Readonly<Record<string, Rule>> = {
  'legal transitions': legalTransitions,
  'ends are final': endsAreFinal,
  'times go forward': timesGoForward,
  'nothing untold': nothingUntold,
  'one live generation': oneLiveGeneration,
  'within capacity': withinCapacity,
  'constraints kept': constraintsKept,
  'deadlines kept': deadlinesKept,
  'versions grow': versionsGrow,
  'desired as asked': desiredAsAsked,
  'kills took effect': killsTookEffect,
  'everything settled': everythingSettled,
  'ends announced': endsAnnounced,
  'started once': startedOnce,
  'work done': workDone,
  'no leftovers': noLeftovers,
  'reality as told': realityAsTold,
  'books closed': booksClosed,
  'none given up': noneGivenUp,
};

/** Whatever does not hold; empty when all is well. */
export function check(history: History): Violation[] {
  const timelines = timelinesOf(history);
  return Object.values(rules).flatMap((rule) => rule(history, timelines));
}
