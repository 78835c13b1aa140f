// Transitions of tasks that chance seldom brings about: ends that come before what they follow is known, while another
// end is being waited for, or of what is out of sight. Each says which it is there for.
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import type { Action } from '../scenario.ts';
import type { Strike } from '../world/strikes.ts';
import {
  agents,
  at,
  type Behaviour,
  type DirectedScenario,
  directedScenario,
  jobOf,
  taskOf,
} from './build.ts';

const minuteMs = 60_000;
/** Agents have registered by then, so a task is placed at once. */
const submitAt = 6_000;

interface Case {
  readonly name: string;
  readonly reaches: readonly string[];
  readonly behaviour: Behaviour;
  readonly more?: Partial<TaskConfig>;
  /** By the time after the beginning. */
  readonly actions?: readonly (readonly [atMs: number, action: Action])[];
  readonly strikes?: readonly Strike[];
  readonly calmAt?: number;
}

/** One task on one agent, and another agent to go to. */
function scenarioOf({
  name,
  reaches,
  behaviour,
  more,
  actions = [],
  strikes,
  calmAt,
}: Case): DirectedScenario {
  const job = jobOf('one', 1, taskOf(behaviour, more));
  const steps = actions.map(([ms, action]) => at(ms, action));
  return directedScenario({
    name,
    reaches,
    agents: agents(1),
    jobs: [job],
    steps: [at(submitAt, { kind: 'submit', job }), ...steps],
    ...(strikes && { strikes }),
    ...(calmAt !== undefined && { calmAt }),
  });
}

const batch = { service: false } as const;
const isLate = (state: string): Strike => ({
  site: 'a0 reports',
  about: `"state":"${state}"`,
  kind: 'late',
  forMs: 20_000,
});
const kill: Action = { kind: 'kill', job: 0 };
const restart: Action = { kind: 'restart', job: 0 };
/** Everything is to go at once. */
const drain: Action = { kind: 'drain', agent: 0, deadlineSecs: 0, percentage: 0, settledSecs: 0 };
const away = (kind: 'netsplit' | 'agentCrash' | 'agentStop' | 'powerOff' | 'wipe', forMs: number): Action => {
  return { kind, agent: 0, forMs };
};

/** An end is reported before what came before it. */
const early: readonly Case[] = (['FINISHED', 'FAILED'] as const).flatMap((end) => [
  {
    name: `a task is ${end} before anything else is heard of it`,
    reaches: [`ASSIGNED>${end}`],
    behaviour: { start: 1_000, run: 500, end },
    more: batch,
    strikes: [isLate('STARTING'), isLate('RUNNING')],
  },
  {
    name: `a task is ${end} before it is heard that it ran`,
    reaches: [`STARTING>${end}`],
    behaviour: { start: 1_000, run: 2_000, end },
    more: batch,
    strikes: [isLate('RUNNING')],
  },
]);

/** Its end was asked for, and it comes to another. */
const asked: readonly Case[] = (
  [
    ['KILLING', kill],
    ['RESTARTING', restart],
    ['DRAINING', drain],
  ] as const
).flatMap(([state, action]): Case[] => [
  ...(['FINISHED', 'FAILED'] as const).map((end) => ({
    name: `a task is ${end} by itself while it is ${state}`,
    reaches: [`RUNNING>${state}`, `${state}>${end}`],
    behaviour: { start: 0, run: 30_000, end, kill: 60_000 },
    actions: [[20_000, action]] as const,
  })),
  {
    name: `a task does not end for long while it is ${state}`,
    reaches: [`${state}>LOST`],
    behaviour: { start: 0, kill: 10 * minuteMs },
    actions: [[20_000, action]],
    calmAt: 8 * minuteMs,
  },
  {
    name: `the agent of a task is lost while it is ${state}`,
    reaches: [`${state}>PARTITIONED`, 'PARTITIONED>LOST'],
    behaviour: { start: 0, kill: 10 * minuteMs },
    actions: [
      [20_000, action],
      [25_000, away('netsplit', 4 * minuteMs)],
    ],
    calmAt: 5 * minuteMs,
  },
  {
    name: `a task is ${state} that its agent has not heard of`,
    reaches: [`ASSIGNED>${state}`, `${state}>KILLED`],
    behaviour: { start: 0 },
    actions: [
      [5_500, away('agentCrash', 30_000)],
      [15_000, action],
    ],
  },
  {
    name: `a task is ${state} that has not come up`,
    reaches: [`STARTING>${state}`],
    behaviour: { start: 40_000 },
    actions: [[15_000, action]],
  },
]);

const killedAnyway: readonly Case[] = [['RESTARTING', restart] as const, ['DRAINING', drain] as const].map(
  ([state, action]) => ({
    name: `a task is killed while it is ${state}`,
    reaches: [`${state}>KILLING`, 'KILLING>KILLED'],
    behaviour: { start: 0, kill: 20_000 },
    actions: [
      [20_000, action],
      [28_000, kill],
    ] as const,
  }),
);

/** Its agent is out of sight for long, and the job would rather wait. */
const waits = { partitionPolicy: { reschedule: false, delaySecs: 0 } } as const;
const split = [15_000, away('netsplit', 4 * minuteMs)] as const;
const partitioned: readonly Case[] = [
  ...(
    [
      ['KILLING', kill],
      ['RESTARTING', restart],
      ['DRAINING', drain],
    ] as const
  ).map(
    ([state, action]): Case => ({
      name: `a task out of sight is ${state}`,
      reaches: ['RUNNING>PARTITIONED', `PARTITIONED>${state}`, `${state}>LOST`],
      behaviour: { start: 0 },
      more: waits,
      actions: [split, [3 * minuteMs + 10_000, action]],
      calmAt: 6 * minuteMs,
    }),
  ),
  ...(['FINISHED', 'FAILED'] as const).map((end) => ({
    name: `a task is ${end} out of sight`,
    reaches: [`PARTITIONED>${end}`],
    behaviour: { start: 0, run: minuteMs, end },
    more: { ...waits, ...batch },
    actions: [split],
    calmAt: 6 * minuteMs,
  })),
  {
    name: 'a task out of sight comes into sight again',
    reaches: ['PARTITIONED>RUNNING'],
    behaviour: { start: 0 },
    more: waits,
    actions: [split],
    calmAt: 6 * minuteMs,
  },
  {
    name: 'a task comes into sight that is still coming up',
    reaches: ['STARTING>PARTITIONED', 'PARTITIONED>STARTING'],
    behaviour: { start: 6 * minuteMs },
    more: waits,
    actions: [split],
    calmAt: 8 * minuteMs,
  },
];

const accidents: readonly Case[] = [
  {
    name: 'an agent is stopped before it is heard that it has the task',
    reaches: ['ASSIGNED>KILLED'],
    behaviour: { start: 20_000 },
    strikes: [isLate('STARTING')],
    actions: [[10_000, away('agentStop', 30_000)]],
  },
  {
    name: 'an agent is stopped while its task comes up',
    reaches: ['STARTING>KILLED'],
    behaviour: { start: 40_000 },
    actions: [[15_000, away('agentStop', 30_000)]],
  },
  {
    name: 'an agent is stopped while its task runs',
    reaches: ['RUNNING>KILLED'],
    behaviour: { start: 0 },
    actions: [[15_000, away('agentStop', 30_000)]],
  },
  {
    name: 'a machine forgets a task that was coming up',
    reaches: ['STARTING>LOST'],
    behaviour: { start: 40_000 },
    actions: [[15_000, away('wipe', 5_000)]],
  },
  {
    name: 'a machine forgets a task that ran',
    reaches: ['RUNNING>LOST'],
    behaviour: { start: 0 },
    actions: [[15_000, away('wipe', 5_000)]],
  },
  {
    name: 'an agent is lost before it takes its task',
    reaches: ['ASSIGNED>LOST'],
    behaviour: { start: 0 },
    actions: [[5_500, away('agentCrash', 4 * minuteMs)]],
    calmAt: 6 * minuteMs,
  },
  {
    name: 'a task comes up at once',
    reaches: ['INIT>PENDING', 'PENDING>ASSIGNED', 'ASSIGNED>RUNNING', 'RUNNING>FINISHED'],
    behaviour: { start: 0, run: 5_000 },
    more: batch,
    strikes: [isLate('STARTING')],
  },
  {
    name: 'a task fails again and again, and is killed while it is held back',
    reaches: [
      'ASSIGNED>STARTING',
      'STARTING>RUNNING',
      'RUNNING>FAILED',
      'INIT>THROTTLED',
      'THROTTLED>PENDING',
      'THROTTLED>KILLING',
    ],
    behaviour: { start: 1_000, run: 3_000, end: 'FAILED' },
    actions: [[2 * minuteMs, kill]],
    calmAt: 3 * minuteMs,
  },
  {
    name: 'a task is killed that waits for room',
    reaches: ['PENDING>KILLING'],
    behaviour: { start: 0 },
    more: { constraints: [{ kind: 'value', attribute: 'rack', values: ['nowhere'], negated: false }] },
    actions: [[20_000, kill]],
  },
];

export const ends: readonly DirectedScenario[] = [
  ...early,
  ...asked,
  ...killedAnyway,
  ...partitioned,
  ...accidents,
].map(scenarioOf);
