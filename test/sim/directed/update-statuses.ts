// Every change of status an update can make: calls of users, pulses that come and stop coming, versions that are no good.
import type { UpdateSettingsInput } from '../../../shared/model/update.ts';
import type { Scenario } from '../scenario.ts';
import type { UpdateAction } from '../scenario-updates.ts';
import { at, type Behaviour, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const sound = { start: 500, kill: 2_000 } as const;
/** An instance after the other, so slowly that there is time to interfere. */
const slowly = { strategy: { kind: 'queue', groupSize: 1 }, minWaitInInstanceRunningMs: 20_000 } as const;
const quickly = { strategy: { kind: 'queue', groupSize: 4 }, minWaitInInstanceRunningMs: 1_000 } as const;
const pulsed = { ...slowly, blockIfNoPulsesAfterMs: 60_000 } as const;
const updateAt = 20_000;

type Call = Extract<UpdateAction, { kind: 'updateCall' }>['call'];

interface Case {
  readonly name: string;
  readonly reaches: readonly string[];
  readonly settings?: UpdateSettingsInput;
  readonly oldVersion?: Behaviour;
  readonly newVersion?: Behaviour;
  /** Seconds after the beginning; the update begins at 20. */
  readonly calls?: readonly (readonly [atSecs: number, call: Call])[];
}

function scenarioOf(one: Case): DirectedScenario {
  const {
    name,
    reaches,
    settings = slowly,
    oldVersion = sound,
    newVersion = { start: 600 },
    calls = [],
  } = one;
  const job = jobOf('rolled', 4, taskOf(oldVersion));
  const { configs } = jobOf('rolled', 4, taskOf(newVersion));
  const steps: Scenario['steps'] = calls.map(([atSecs, call]) =>
    at(atSecs * 1_000, { kind: 'updateCall', job: 0, call }),
  );
  return directedScenario({
    name,
    reaches,
    jobs: [job],
    steps: [
      at(6_000, { kind: 'submit', job }),
      at(updateAt, { kind: 'update', job: 0, change: { kind: 'replace', configs }, settings }),
      ...steps,
    ],
    calmAt: Math.max(300, ...calls.map(([atSecs]) => atSecs + 20)) * 1_000,
  });
}

const failing = { start: 500, run: 500, end: 'FAILED' } as const;

const cases: readonly Case[] = [
  {
    name: 'an update rolls forward',
    reaches: ['START>ROLLING_FORWARD', 'ROLLING_FORWARD>ROLLED_FORWARD'],
    settings: quickly,
  },
  {
    name: 'an update is no good and rolls back',
    reaches: ['ROLLING_FORWARD>ROLLING_BACK', 'ROLLING_BACK>ROLLED_BACK'],
    newVersion: failing,
    settings: quickly,
  },
  {
    name: 'an update is no good and stays where it is',
    reaches: ['ROLLING_FORWARD>FAILED'],
    newVersion: failing,
    settings: { ...quickly, rollbackOnFailure: false },
  },
  {
    name: 'an update is paused, goes on, and is given up',
    reaches: [
      'ROLLING_FORWARD>ROLL_FORWARD_PAUSED',
      'ROLL_FORWARD_PAUSED>ROLLING_FORWARD',
      'ROLLING_FORWARD>ABORTED',
    ],
    calls: [
      [30, 'pause'],
      [40, 'resume'],
      [50, 'hold'],
    ],
  },
  {
    name: 'an update is given up while it is paused',
    reaches: ['ROLL_FORWARD_PAUSED>ABORTED'],
    calls: [
      [30, 'pause'],
      [40, 'hold'],
    ],
  },
  {
    name: 'a paused update is rolled back, paused on its way back, and goes on',
    reaches: [
      'ROLL_FORWARD_PAUSED>ROLLING_BACK',
      'ROLLING_BACK>ROLL_BACK_PAUSED',
      'ROLL_BACK_PAUSED>ROLLING_BACK',
    ],
    calls: [
      [70, 'pause'],
      [80, 'rollback'],
      [85, 'pause'],
      [95, 'resume'],
    ],
  },
  {
    name: 'a rollback is given up',
    reaches: ['ROLLING_BACK>ABORTED'],
    calls: [
      [70, 'rollback'],
      [80, 'hold'],
    ],
  },
  {
    name: 'a paused rollback is given up',
    reaches: ['ROLL_BACK_PAUSED>ABORTED'],
    calls: [
      [70, 'rollback'],
      [80, 'pause'],
      [90, 'hold'],
    ],
  },
  {
    name: 'pulses begin, stop, and begin again',
    reaches: [
      'START>ROLL_FORWARD_AWAITING_PULSE',
      'ROLL_FORWARD_AWAITING_PULSE>ROLLING_FORWARD',
      'ROLLING_FORWARD>ROLL_FORWARD_AWAITING_PULSE',
    ],
    settings: pulsed,
    calls: [
      [30, 'pulse'],
      [120, 'pulse'],
    ],
  },
  {
    name: 'an update that waits for a pulse is paused, waits again, and is given up',
    reaches: [
      'ROLL_FORWARD_AWAITING_PULSE>ROLL_FORWARD_PAUSED',
      'ROLL_FORWARD_PAUSED>ROLL_FORWARD_AWAITING_PULSE',
      'ROLL_FORWARD_AWAITING_PULSE>ABORTED',
    ],
    settings: pulsed,
    calls: [
      [30, 'pause'],
      [100, 'resume'],
      [110, 'hold'],
    ],
  },
  {
    name: 'pulses stop on the way back',
    reaches: [
      'ROLL_FORWARD_AWAITING_PULSE>ROLLING_BACK',
      'ROLLING_BACK>ROLL_BACK_AWAITING_PULSE',
      'ROLL_BACK_AWAITING_PULSE>ROLLING_BACK',
    ],
    settings: pulsed,
    calls: [
      [30, 'pulse'],
      [60, 'pulse'],
      [150, 'rollback'],
      [250, 'pulse'],
    ],
  },
  {
    name: 'a rollback that waits for a pulse is paused, waits again, and is given up',
    reaches: [
      'ROLL_BACK_AWAITING_PULSE>ROLL_BACK_PAUSED',
      'ROLL_BACK_PAUSED>ROLL_BACK_AWAITING_PULSE',
      'ROLL_BACK_AWAITING_PULSE>ABORTED',
    ],
    settings: pulsed,
    calls: [
      [30, 'pulse'],
      [60, 'pulse'],
      [150, 'rollback'],
      [250, 'pause'],
      [260, 'resume'],
      [270, 'hold'],
    ],
  },
  {
    name: 'what was there before an update is no good any more when it is rolled back to',
    reaches: ['ROLLING_BACK>FAILED'],
    settings: { ...slowly, minWaitInInstanceRunningMs: 60_000 },
    oldVersion: { start: 500, run: 40_000, end: 'FAILED' },
    calls: [[90, 'rollback']],
  },
];

export const updateStatuses: readonly DirectedScenario[] = cases.map(scenarioOf);
