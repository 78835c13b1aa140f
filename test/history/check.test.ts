import { describe, expect, it } from 'vitest';
import type { TaskView } from '../../shared/api/views.ts';
import { check, rules } from './check.ts';
import type { Call, FinalJob, History, Run } from './history.ts';
import { idOf, lives, sampleHistory, t0, told } from './sample-history.ts';

type Spoil = (history: History) => Partial<History>;

const { lost, replacing, swinging, finished, killed, removed, updated } = lives;

const jobsWith =
  (name: string, change: (job: FinalJob) => FinalJob): Spoil =>
  ({ jobs }) => ({ jobs: jobs.map((final) => (final.job.name === name ? change(final) : final)) });
const tasksWith = (name: string, change: (task: TaskView) => TaskView): Spoil =>
  jobsWith(name, (final) => ({ ...final, tasks: final.tasks.map(change) }));
const callsWith =
  (kind: Call['asked']['kind'], change: (call: Call) => Call): Spoil =>
  ({ calls }) => ({ calls: calls.map((call) => (call.asked.kind === kind ? change(call) : call)) });
const heardWithout =
  (life: { name: string; instance: number; generation: number }, to: string): Spoil =>
  ({ heard }) => ({
    heard: heard.filter(
      ({ event }) =>
        event.detailType !== 'Task State Change' ||
        event.detail.taskId !== idOf(life) ||
        event.detail.to !== to,
    ),
  });
const alsoHeard =
  (...more: History['heard'][number][]): Spoil =>
  ({ heard }) => ({ heard: [...heard, ...more] });

/** Every state that must pass has to at once. */
const slowless: History['limits']['timeoutsMs'] = {
  ASSIGNED: 0,
  STARTING: 0,
  PREEMPTING: 0,
  RESTARTING: 0,
  DRAINING: 0,
  KILLING: 0,
};

const onHost = { kind: 'value', attribute: 'host' } as const;

/** Rule, what is wrong, and the history that has it. */
const bad: readonly (readonly [rule: string, what: string, spoil: Spoil])[] = [
  [
    'legal transitions',
    'a task that ran before anybody had it',
    alsoHeard(
      told({ ...removed, instance: 5 }, null, 'PENDING', 1),
      told({ ...removed, instance: 5 }, 'PENDING', 'RUNNING', 2),
    ),
  ],
  [
    'legal transitions',
    'a removal of a task that an agent has',
    alsoHeard(told(updated, 'RUNNING', 'DELETED', 55_000)),
  ],
  ['ends are final', 'an end after the end', alsoHeard(told(killed, 'KILLED', 'LOST', 7000))],
  ['ends are final', 'life after removal', alsoHeard(told(removed, 'PENDING', 'ASSIGNED', 7000))],
  [
    'times go forward',
    'a change earlier than the one it follows',
    alsoHeard(told(updated, 'RUNNING', 'KILLING', 50_100)),
  ],
  ['nothing untold', 'a lost event in the middle', heardWithout(killed, 'KILLING')],
  ['nothing untold', 'a lost event at the end', heardWithout(replacing, 'RUNNING')],
  [
    'nothing untold',
    'a task nobody told of',
    ({ heard }) => ({
      heard: heard.filter(
        ({ event }) => event.detailType !== 'Task State Change' || event.detail.name !== 'sum',
      ),
    }),
  ],
  [
    'nothing untold',
    'an event that was never stored',
    alsoHeard(told(swinging, 'RUNNING', 'RESTARTING', 55_000)),
  ],
  [
    'nothing untold',
    'the same event told in two ways',
    alsoHeard(told(finished, 'STARTING', 'FINISHED', 5000)),
  ],
  [
    'nothing untold',
    'a task that the API has forgotten',
    jobsWith('sum', (final) => ({ ...final, tasks: [] })),
  ],
  [
    'nothing untold',
    'a removed task that is there',
    jobsWith('old', (final) => ({
      ...final,
      tasks: [...final.tasks, ...final.tasks.map((task) => ({ ...task, taskId: idOf(removed) }))],
    })),
  ],
  [
    'one live generation',
    'a successor before the end',
    alsoHeard(told({ ...replacing, generation: 3 }, null, 'PENDING', 45_000)),
  ],
  [
    'one live generation',
    'the same generation twice',
    ({ heard }) => ({
      heard: heard.map((one) =>
        one.event.detailType === 'Task State Change' && one.event.detail.taskId === idOf(replacing)
          ? { ...one, event: { ...one.event, detail: { ...one.event.detail, generation: 1 } } }
          : one,
      ),
    }),
  ],
  [
    'within capacity',
    'more than was offered',
    ({ agents }) => ({ agents: agents.map((agent) => ({ ...agent, ramMb: 100 })) }),
  ],
  [
    'within capacity',
    'a port given twice',
    tasksWith('web', (task) => ({ ...task, grant: { gpus: [], ports: { http: 31_000 } } })),
  ],
  [
    'constraints kept',
    'a task on a host that is not allowed',
    jobsWith('sum', (final) => ({
      ...final,
      constraints: { v1: [{ ...onHost, negated: true, values: ['a'] }] },
    })),
  ],
  [
    'constraints kept',
    'more tasks on a host than are allowed',
    jobsWith('web', (final) => ({
      ...final,
      constraints: { v1: [{ kind: 'limit', attribute: 'host', limit: 1 }] },
    })),
  ],
  [
    'deadlines kept',
    'a state that stayed',
    ({ limits }) => ({
      limits: {
        ...limits,
        timeoutsMs: { ...limits.timeoutsMs, KILLING: 100 },
        slackMs: 0,
        sweepEveryMs: 200,
      },
    }),
  ],
  ['deadlines kept', 'a state that never ended', alsoHeard(told(updated, 'RUNNING', 'KILLING', 51_000))],
  ['versions grow', 'an older version later', callsWith('kill', (call) => ({ ...call, specVersion: 0 }))],
  [
    'desired as asked',
    'a kill that left no trace',
    jobsWith('old', (final) => ({
      ...final,
      job: { ...final.job, desired: [{ instances: [0, 1], configId: 'v1' }] },
    })),
  ],
  [
    'desired as asked',
    'an addition that was lost',
    jobsWith('web', (final) => ({
      ...final,
      job: { ...final.job, desired: [{ instances: [0, 0], configId: 'v1' }] },
    })),
  ],
  [
    'desired as asked',
    'an update that was rolled back and yet left its config',
    ({ updates }) => ({ updates: updates.map((update) => ({ ...update, status: 'ROLLED_BACK' })) }),
  ],
  [
    'desired as asked',
    'an accepted job that is gone',
    ({ jobs }) => ({ jobs: jobs.filter(({ job }) => job.name !== 'sum') }),
  ],
  [
    'desired as asked',
    'a refused call that was carried out',
    callsWith('add', (call) => ({ ...call, outcome: 'refused' })),
  ],
  [
    'kills took effect',
    'a task that lived on',
    ({ calls }) => ({
      calls: [
        ...calls,
        {
          ...(calls[0] as Call),
          asked: { kind: 'restart', instances: [[1, 1]] },
          startedAt: t0 + 30_000,
          endedAt: t0 + 30_050,
          specVersion: 3,
        },
      ],
    }),
  ],
  [
    'everything settled',
    'a service with an instance that ended',
    tasksWith('web', (task) => (task.taskId === idOf(replacing) ? { ...task, state: 'FINISHED' } : task)),
  ],
  [
    'everything settled',
    'a task that still starts',
    tasksWith('web', (task) => (task.taskId === idOf(replacing) ? { ...task, state: 'STARTING' } : task)),
  ],
  [
    'everything settled',
    'a task held back beyond its time',
    tasksWith('web', (task) =>
      task.taskId === idOf(replacing)
        ? { ...task, state: 'THROTTLED', deadlineAt: new Date(t0 + 50_000).toISOString() }
        : task,
    ),
  ],
  [
    'everything settled',
    'an instance that was never made',
    jobsWith('web', (final) => ({ ...final, tasks: final.tasks.filter(({ instance }) => instance === 0) })),
  ],
  [
    'everything settled',
    'a task of the wrong config',
    tasksWith('shop', (task) => ({ ...task, configId: 'v1' })),
  ],
  [
    'everything settled',
    'a task that nobody wants',
    tasksWith('old', (task) => ({ ...task, state: 'RUNNING' })),
  ],
  [
    'everything settled',
    'a failure with tries left',
    tasksWith('sum', (task) => ({ ...task, state: 'FAILED' })),
  ],
  [
    'everything settled',
    'a job that is not carried out',
    jobsWith('web', (final) => ({ ...final, job: { ...final.job, reconciled: false } })),
  ],
  [
    'everything settled',
    'an update without an end',
    ({ updates }) => ({ updates: updates.map((update) => ({ ...update, status: 'ROLLING_FORWARD' })) }),
  ],
  [
    'ends announced',
    'an end in silence',
    ({ heard }) => ({ heard: heard.filter(({ event }) => event.detailType !== 'Job Ended') }),
  ],
  [
    'ends announced',
    'a wrong outcome',
    ({ heard }) => ({
      heard: heard.map((one) =>
        one.event.detailType === 'Job Ended'
          ? { ...one, event: { ...one.event, detail: { ...one.event.detail, outcome: 'failed' } } }
          : one,
      ),
    }),
  ],
  [
    'started once',
    'two starts',
    ({ runs }) => ({ runs: [...runs, ...runs.filter(({ what }) => what === 'start').slice(0, 1)] }),
  ],
  [
    'started once',
    'a start on another agent',
    ({ runs }) => ({ runs: runs.map((run) => ({ ...run, agentId: 'b' })) }),
  ],
  [
    'started once',
    'a start before the assignment',
    ({ runs }) => ({ runs: runs.map((run) => ({ ...run, at: t0 - 5000 })) }),
  ],
  ['started once', 'a start of what nobody assigned', heardWithout(updated, 'ASSIGNED')],
  [
    'work done',
    'an end that the process never reached',
    ({ runs }) => ({ runs: runs.filter(({ what }) => what === 'start') }),
  ],
  [
    'work done',
    'a task that runs and never began',
    ({ runs }) => ({ runs: runs.filter(({ taskId }) => taskId !== idOf(updated)) }),
  ],
  [
    'no leftovers',
    'a process long after its end',
    ({ samples }) => ({
      samples: [{ from: t0 + 30_000, to: t0 + 30_000, taskIds: [idOf(killed)] }, ...samples],
      faults: [],
    }),
  ],
  [
    'no leftovers',
    'a process of nobody',
    ({ samples }) => ({
      samples: [{ from: t0 + 30_000, to: t0 + 30_000, taskIds: ['stranger'] }, ...samples],
    }),
  ],
  [
    'reality as told',
    'a RUNNING task without a process',
    ({ samples }) => ({
      samples: samples.map((sample) => ({
        ...sample,
        taskIds: sample.taskIds.filter((id) => id !== idOf(updated)),
      })),
    }),
  ],
  [
    'reality as told',
    'a process of a task that has ended',
    ({ samples }) => ({
      samples: samples.map((sample) => ({ ...sample, taskIds: [...sample.taskIds, idOf(lost)] })),
    }),
  ],
  [
    'books closed',
    'resources that never came back',
    ({ ledgers }) => ({ ledgers: ledgers.map((free) => ({ ...free, cpuMilli: free.cpuMilli - 100 })) }),
  ],
  [
    'books closed',
    'a task that was not given back',
    ({ ledgers }) => ({
      ledgers: ledgers.map((free) => ({ ...free, taskIds: [...free.taskIds, idOf(finished)] })),
    }),
  ],
  ['books closed', 'an agent that is gone', () => ({ ledgers: [] })],
  ['none given up', 'a task and its agent lost without a silence', () => ({ faults: [] })],
  [
    'none given up',
    'a task lost after a short silence',
    ({ faults }) => ({ faults: faults.map((fault) => ({ ...fault, to: fault.from + 2000 })) }),
  ],
  [
    'none given up',
    'a task lost by the silence of another agent',
    ({ faults }) => ({ faults: faults.map((fault) => ({ ...fault, agentId: 'b' })) }),
  ],
  [
    'none given up',
    'a task lost long after the silence',
    ({ faults }) => ({
      faults: faults.map((fault) => ({ ...fault, from: fault.from - 9000, to: fault.to - 9000 })),
    }),
  ],
  [
    'none given up',
    'a task lost because of a reboot before it was there',
    ({ faults }) => ({
      faults: [...faults.slice(0, 1), { kind: 'reboot', agentId: 'a', from: t0 - 2000, to: t0 - 1000 }],
    }),
  ],
];

describe('the checker of histories', () => {
  it('has nothing to say about a history in which all is well', () => {
    expect(check(sampleHistory())).toEqual([]);
  });

  it.each(bad)('%s: finds %s', (rule, _what, spoil) => {
    const history = sampleHistory();
    expect(check({ ...history, ...spoil(history) }).map((violation) => violation.rule)).toContain(rule);
  });

  it('is shown a bad history by every rule', () => {
    expect(new Set(bad.map(([rule]) => rule))).toEqual(new Set(Object.keys(rules)));
  });

  it('does not count the time for which there was no control plane', () => {
    const history = sampleHistory();
    const { lostAfterMs } = history.limits;
    const earlier = history.faults.map((fault) => ({
      ...fault,
      from: fault.from - 9000,
      to: fault.to - 9000,
    }));
    const outage = { kind: 'outage' as const, from: t0 + 1000, to: t0 + 39_000 };
    const late = { ...history, faults: [...earlier, outage] };
    expect(lostAfterMs).toBeLessThan(outage.to - outage.from);
    expect(check(late).filter(({ rule }) => rule === 'none given up')).toEqual([]);
    const slow = {
      ...history,
      limits: { ...history.limits, sweepEveryMs: 0, slackMs: 0, timeoutsMs: slowless },
    };
    const named = (faults: History['faults']) =>
      check({ ...slow, faults }).filter(({ rule }) => rule === 'deadlines kept').length;
    expect(named([{ ...outage, from: t0, to: t0 + 80_000 }])).toBe(0);
    // Well again long before, or bad for one agent only.
    expect(named([{ ...outage, from: t0 - 9000, to: t0 - 5000 }])).toBe(named([]));
    expect(named([{ kind: 'pause', agentId: 'a', from: t0, to: t0 + 80_000 }])).toBe(named([]));
    expect(named([])).toBeGreaterThan(0);
  });

  it('asks nothing of a restart where no agent has the task yet', () => {
    const history = sampleHistory();
    // Between its creation and its assignment.
    const restart = { asked: { kind: 'restart' as const }, startedAt: t0 + 40_050, endedAt: t0 + 40_080 };
    const calls = [...history.calls, { ...(history.calls[0] as Call), ...restart, specVersion: 3 }];
    const named = check({ ...history, calls }).filter(({ rule }) => rule === 'kills took effect');
    expect(named.map(({ about }) => about)).toEqual([idOf(swinging)]);
  });

  it('lets a task end with the power of its machine', () => {
    const history = sampleHistory();
    const heard = history.heard.filter(({ event }) => event.detailType !== 'Agent Change');
    const reboot = { kind: 'reboot' as const, agentId: 'a', from: t0 + 39_000, to: t0 + 41_000 };
    const faults = [...history.faults.slice(0, 1), reboot];
    expect(check({ ...history, heard, faults }).filter(({ rule }) => rule === 'none given up')).toEqual([]);
  });

  it('takes each instance of an update that was given up for reached or not, but no more than that', () => {
    const history = sampleHistory();
    const aborted = history.updates.map((update) => ({ ...update, status: 'ABORTED' as const }));
    const named = (spoil: Spoil) =>
      check({ ...history, ...spoil(history), updates: aborted }).filter(
        ({ rule }) => rule === 'desired as asked',
      );
    const wanting = (configId: string, last: number) =>
      jobsWith('shop', (final) => ({
        ...final,
        job: { ...final.job, desired: [{ instances: [0, last], configId }] },
      }));
    expect(named(wanting('v1', 0))).toEqual([]);
    expect(named(wanting('v2', 0))).toEqual([]);
    expect(named(wanting('v2', 1))).toHaveLength(1);
  });

  it('lets a task start again whose first start is known to nobody, its disk being gone', () => {
    const history = sampleHistory();
    const [start] = history.runs.filter(({ taskId, what }) => taskId === idOf(updated) && what === 'start');
    const runs = [...history.runs, { ...(start as Run), at: t0 + 50_640 }];
    const wiped = (at: number) => ({ kind: 'wipe' as const, agentId: 'a', from: t0 + at, to: t0 + at + 10 });
    const named = (at: number) =>
      check({ ...history, runs, faults: [...history.faults, wiped(at)] }).filter(
        ({ rule }) => rule === 'started once',
      );
    // Its STARTING was told at 50,700.
    expect(named(50_680)).toEqual([]);
    expect(named(52_000)).toHaveLength(1);
    expect(named(50_000)).toHaveLength(1);
  });

  it('lets tasks be where their constraints allow it', () => {
    const history = sampleHistory();
    const { jobs = [] } = jobsWith('web', (final) => ({
      ...final,
      constraints: {
        v1: [
          { ...onHost, negated: false, values: ['a', 'b'] },
          { kind: 'limit', attribute: 'host', limit: 2 },
        ],
      },
    }))(history);
    expect(check({ ...history, jobs })).toEqual([]);
  });

  it('takes a call without an answer for carried out or not', () => {
    const history = sampleHistory();
    const unknown = history.calls.map((call): Call => {
      if (call.asked.kind !== 'add' && call.asked.kind !== 'kill') return call;
      const { specVersion: _none, ...rest } = call;
      return { ...rest, outcome: 'unknown' };
    });
    const before = history.jobs.map((final) =>
      final.job.name === 'old'
        ? {
            ...final,
            job: { ...final.job, desired: [{ instances: [0, 1] as [number, number], configId: 'v1' }] },
          }
        : final,
    );
    const named = (jobs: readonly FinalJob[]) =>
      check({ ...history, calls: unknown, jobs }).filter(({ rule }) => rule === 'desired as asked');
    expect(named(history.jobs)).toEqual([]);
    expect(named(before)).toEqual([]);
  });
});
