import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { transitionDocument } from '../../../../shared/domain/task/document.ts';
import {
  attempt,
  effectOrder,
  killNeeded,
  type MachineState,
  machineStates,
  outcomeOf,
  releasesResources,
  type TransitionFacts,
} from '../../../../shared/domain/task/transitions.ts';
import { isActive, isOnAgent, isTerminal, taskStates } from '../../../../shared/model/task.ts';
import { specified } from './specified-table.ts';

const letters: Record<string, string> = {
  F: 'INCREMENT_FAILURES',
  S: 'SAVE_STATE',
  R: 'RESCHEDULE',
  L: 'TRANSITION_TO_LOST',
  K: 'KILL',
  D: 'DELETE',
};

// Every combination of what a conditional effect can look at, with the answers the specification gives for it.
const situations: { facts: TransitionFacts; svc: boolean; fail: boolean; unkilled: boolean }[] = [];
for (const service of [true, false]) {
  for (const maxTaskFailures of [-1, 0, 1, 2, 5]) {
    for (const failureCount of [0, 1, 3, 4, 9]) {
      for (const wasKilling of [true, false]) {
        const fail = service || maxTaskFailures === -1 || failureCount < maxTaskFailures - 1;
        const facts = { service, maxTaskFailures, failureCount, wasKilling };
        situations.push({ facts, svc: service, fail, unkilled: !wasKilling });
      }
    }
  }
}

function expected(from: MachineState, to: MachineState, situation: (typeof situations)[number]) {
  if (from === to) return { outcome: 'NOOP', effects: [] };
  const listed = specified(from, to);
  if (!listed) return { outcome: 'ILLEGAL', effects: [] };
  if (listed[0] === '!K') return { outcome: 'ILLEGAL_WITH_KILL', effects: ['KILL'] };
  const conditions: Record<string, boolean> = {
    Rs: situation.svc,
    Rf: situation.fail,
    Ru: situation.unkilled,
  };
  const effects = listed.flatMap((letter) => {
    const condition = conditions[letter];
    if (condition !== undefined) return condition ? ['RESCHEDULE'] : [];
    return [letters[letter]];
  });
  return { outcome: 'SUCCESS', effects };
}

const pairs = machineStates.flatMap((from) =>
  machineStates.map((to): [MachineState, MachineState] => [from, to]),
);

describe('the transition table', () => {
  it('has all 16 states', () => {
    expect(new Set(machineStates).size).toBe(16);
    expect(pairs).toHaveLength(256);
  });

  it.each(pairs)('does from %s to %s what the specification says, whatever the task is like', (from, to) => {
    for (const situation of situations) {
      expect(attempt(from, to, situation.facts)).toEqual(expected(from, to, situation));
    }
    expect(outcomeOf(from, to)).toBe(
      expected(from, to, situations[0] as (typeof situations)[number]).outcome,
    );
  });

  it('lists the effects of every pair in the order in which they run', () => {
    for (const [from, to] of pairs) {
      for (const { facts } of situations) {
        const places = attempt(from, to, facts).effects.map((effect) => effectOrder.indexOf(effect));
        expect(places).toEqual(places.toSorted((a, b) => a - b));
      }
    }
  });

  it('reschedules a non-service FAILED run while the failures, this one included, are fewer than the limit', () => {
    const rescheduled = (failureCount: number, maxTaskFailures: number) =>
      attempt('RUNNING', 'FAILED', {
        service: false,
        maxTaskFailures,
        failureCount,
        wasKilling: false,
      }).effects.includes('RESCHEDULE');
    expect([0, 1, 2, 3].map((before) => rescheduled(before, 3))).toEqual([true, true, false, false]);
    expect(rescheduled(0, 1)).toBe(false);
    expect(rescheduled(1_000_000, -1)).toBe(true);
  });
});

describe('killNeeded', () => {
  it('is the kill effect of the pair, and also covers a kill on the way to LOST through another state', () => {
    const facts = situations[0]?.facts as TransitionFacts;
    for (const from of taskStates) {
      for (const to of taskStates) {
        const direct = from !== to && (specified(from, to) ?? []).includes('K');
        const middles = taskStates.filter((middle) =>
          attempt(from, middle, facts).effects.includes('TRANSITION_TO_LOST'),
        );
        const onTheWay =
          to === 'LOST' && middles.some((middle) => (specified(middle, 'LOST') ?? []).includes('K'));
        expect([from, to, killNeeded(from, to)]).toEqual([from, to, direct || onTheWay]);
      }
    }
  });

  it('differs from the direct pair only for KILLING to LOST', () => {
    const different = taskStates.flatMap((from) =>
      taskStates
        .filter((to) => killNeeded(from, to) !== (specified(from, to) ?? []).includes('K'))
        .map((to) => [from, to]),
    );
    expect(different).toEqual([['KILLING', 'LOST']]);
  });
});

describe('releasesResources', () => {
  it('is true exactly when a task leaves its agent by ending or by being forgotten', () => {
    for (const from of taskStates) {
      expect(releasesResources(from, 'DELETED')).toBe(isOnAgent(from));
      for (const to of taskStates)
        expect(releasesResources(from, to)).toBe(isOnAgent(from) && isTerminal(to));
    }
  });

  it('is false for a partition: the task may still use what it has', () => {
    expect(releasesResources('RUNNING', 'PARTITIONED')).toBe(false);
    expect(isActive('PARTITIONED')).toBe(true);
  });
});

describe('docs/reference/task-states.md', () => {
  it('is the text generated from the table (else run: node scripts/write-task-states.ts)', () => {
    const url = new URL('../../../../docs/reference/task-states.md', import.meta.url);
    expect(readFileSync(url, 'utf8')).toBe(transitionDocument());
  });
});
