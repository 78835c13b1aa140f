// The outbox as a table: which effects each change has.
import { describe, expect, it } from 'vitest';
import { deriveEffects, type Effect } from '../../../functions/fanout/derive.ts';
import { killNeeded, releasesResources, transitionTable } from '../../../shared/domain/task/transitions.ts';
import { eventDetailSchemas } from '../../../shared/model/events.ts';
import { isOnAgent, isTerminal, type Task, type TaskState, taskStates } from '../../../shared/model/task.ts';
import type { StreamChange, UpdateHead } from '../../../shared/store/port.ts';
import { makeJob, makeTask, t0 } from '../../contract/fixtures.ts';

const base = makeTask();

/** A row in a state, with an agent if the state has one. */
function inState(state: TaskState, events: readonly TaskState[] = [state]): Task {
  return {
    ...base,
    state,
    ...((isOnAgent(state) || isTerminal(state)) && { agentId: 'a1', grant: { gpus: [], ports: {} } }),
    ...(state === 'THROTTLED' && { deadlineAt: t0 + 30_000 }),
    events: events.map((entered) => ({ state: entered, at: t0 })),
  };
}

function effects(change: StreamChange): Effect[] {
  return deriveEffects(change, 'local', t0);
}

function kinds(from: TaskState | undefined, to: TaskState | undefined): string[] {
  const change: StreamChange = {
    kind: 'task',
    ...(from && { before: inState(from) }),
    ...(to && { after: inState(to, from ? [from, to] : [to]) }),
  };
  return effects(change).map(({ kind }) => kind);
}

describe('a task change', () => {
  it.each<[TaskState | undefined, TaskState | undefined, string[]]>([
    [undefined, 'PENDING', ['wake', 'event']],
    [undefined, 'THROTTLED', ['unthrottle', 'instanceChanged', 'event']],
    ['THROTTLED', 'PENDING', ['wake', 'event']],
    ['PENDING', 'ASSIGNED', ['launch', 'event']],
    ['ASSIGNED', 'STARTING', ['event']],
    ['STARTING', 'RUNNING', ['instanceChanged', 'event']],
    ['RUNNING', 'PARTITIONED', ['instanceChanged', 'event']],
    ['PARTITIONED', 'RUNNING', ['instanceChanged', 'event']],
    ['PARTITIONED', 'ASSIGNED', ['event']],
    ['RUNNING', 'FINISHED', ['release', 'instanceChanged', 'event']],
    ['RUNNING', 'FAILED', ['release', 'instanceChanged', 'event']],
    ['RUNNING', 'LOST', ['release', 'instanceChanged', 'event']],
    ['ASSIGNED', 'LOST', ['kill', 'release', 'instanceChanged', 'event']],
    ['RUNNING', 'KILLING', ['kill', 'killRetry', 'event']],
    ['RUNNING', 'RESTARTING', ['kill', 'instanceChanged', 'event']],
    ['RESTARTING', 'KILLING', ['killRetry', 'event']],
    ['RESTARTING', 'KILLED', ['release', 'instanceChanged', 'event']],
    ['KILLING', 'KILLED', ['release', 'reconcile', 'instanceChanged', 'endCheck', 'event']],
    ['PARTITIONED', 'LOST', ['kill', 'release', 'instanceChanged', 'event']],
    ['PENDING', undefined, ['instanceChanged', 'endCheck', 'event']],
    ['THROTTLED', undefined, ['instanceChanged', 'endCheck', 'event']],
    ['FINISHED', undefined, []],
    ['RUNNING', 'RUNNING', []],
  ])('%s -> %s has the effects %j', (from, to, expected) => {
    expect(kinds(from, to)).toEqual(expected);
  });

  it('agrees with the state table for every transition it allows', () => {
    for (const from of taskStates) {
      for (const to of taskStates) {
        if (from === to || !transitionTable[from][to]?.allowed) continue;
        const got = kinds(from, to);
        expect([from, to, got.includes('kill')]).toEqual([from, to, killNeeded(from, to)]);
        expect([from, to, got.includes('release')]).toEqual([from, to, releasesResources(from, to)]);
        expect([from, to, got.includes('wake')]).toEqual([from, to, to === 'PENDING']);
        expect(got.filter((kind) => kind === 'event')).toHaveLength(1);
      }
    }
  });

  it.each<[TaskState, boolean, boolean]>([
    ['FINISHED', false, true],
    ['FAILED', false, true],
    ['LOST', false, true],
    ['FINISHED', true, false],
    ['FAILED', true, false],
    ['LOST', true, false],
  ])('that ends a task %s of a service (%s) asks whether the job has ended: %s', (to, service, asked) => {
    const before = { ...inState('RUNNING'), service };
    const after = { ...inState(to, ['RUNNING', to]), service };
    const got = effects({ kind: 'task', before, after }).map(({ kind }) => kind);
    expect(got.includes('endCheck')).toBe(asked);
  });

  it('carries one event per state when one write had several', () => {
    const before = inState('ASSIGNED', ['PENDING', 'ASSIGNED']);
    const after = inState('RUNNING', ['PENDING', 'ASSIGNED', 'STARTING', 'RUNNING']);
    const events = effects({ kind: 'task', before, after }).flatMap((effect) =>
      effect.kind === 'event' && effect.event.detailType === 'Task State Change'
        ? [`${effect.event.detail.from} > ${effect.event.detail.to}`]
        : [],
    );
    expect(events).toEqual(['ASSIGNED > STARTING', 'STARTING > RUNNING']);
  });

  it('makes events that obey their schema', () => {
    const changes: StreamChange[] = [
      { kind: 'task', after: inState('PENDING') },
      { kind: 'task', before: inState('PENDING') },
      { kind: 'job', after: makeJob() },
      { kind: 'update', after: head() },
    ];
    for (const effect of changes.flatMap(effects)) {
      if (effect.kind === 'event') eventDetailSchemas[effect.event.detailType].parse(effect.event.detail);
    }
  });
});

/** The changing row of an update that goes forward in its first execution. */
function head(over: Partial<UpdateHead> = {}): UpdateHead {
  const { role, environment, name } = makeJob();
  const status = over.status ?? 'ROLLING_FORWARD';
  return {
    role,
    environment,
    name,
    updateId: 'u1',
    status,
    sequence: 1,
    events: [{ status, at: t0 }],
    ...over,
  };
}

describe('a change of an update', () => {
  const before = head();
  it.each<[string, Partial<Record<'before' | 'after', UpdateHead>>, string[]]>([
    ['begins', { after: before }, ['startExecution', 'event']],
    ['begins by waiting for a pulse', { after: head({ status: 'ROLL_FORWARD_AWAITING_PULSE' }) }, ['event']],
    ['goes a step on', { before, after: head() }, []],
    ['turns back', { before, after: head({ status: 'ROLLING_BACK' }) }, ['wakeUpdate', 'event']],
    ['is paused', { before, after: head({ status: 'ROLL_FORWARD_PAUSED' }) }, ['wakeUpdate', 'event']],
    [
      'is resumed',
      { before: head({ status: 'ROLL_FORWARD_PAUSED' }), after: head({ sequence: 2 }) },
      ['startExecution', 'event'],
    ],
    ['goes on in another execution', { before, after: head({ sequence: 2 }) }, ['startExecution']],
    ['ends', { before, after: head({ status: 'ROLLED_FORWARD' }) }, ['wakeUpdate', 'endCheck', 'event']],
    ['is forgotten', { before: head({ status: 'ABORTED' }) }, []],
  ])('that %s', (_what, change, expected) => {
    expect(effects({ kind: 'update', ...change }).map(({ kind }) => kind)).toEqual(expected);
  });
});

describe('a job change', () => {
  const stored = makeJob({ specVersion: 3, reconciledVersion: 3 });
  it.each([
    ['is created', { after: makeJob() }, ['reconcile', 'event']],
    ['gets a new spec', { before: stored, after: { ...stored, specVersion: 4 } }, ['reconcile', 'event']],
    ['is reconciled', { before: { ...stored, reconciledVersion: 2 }, after: stored }, ['endCheck', 'event']],
    ['only has another time', { before: stored, after: { ...stored, updatedAt: t0 + 1 } }, []],
    ['is removed', { before: stored }, ['dropConfigs', 'event']],
  ])('that %s', (_what, change, expected) => {
    expect(effects({ kind: 'job', ...change }).map(({ kind }) => kind)).toEqual(expected);
  });
});

describe('an agent change', () => {
  const agent = {
    agentId: 'a1',
    host: 'h1',
    pool: 'default',
    capacity: { cpuMilli: 1, ramMb: 1, diskMb: 1, gpus: [], portRange: [1, 2] as [number, number] },
    attributes: {},
    version: '1',
    mode: 'NONE' as const,
    registeredAt: t0,
    sessionId: 's1',
  };
  const drain = {
    requestedAt: t0,
    deadlineAt: t0 + 60_000,
    percentage: 95,
    settledSecs: 30,
    reason: '',
    requestedBy: 'me',
  };
  it.each([
    ['is new', { after: agent }, ['agentQueue', 'wake', 'event']],
    [
      'has a new session only',
      { before: agent, after: { ...agent, sessionId: 's2', registeredAt: t0 + 1 } },
      [],
    ],
    [
      'has more room',
      { before: agent, after: { ...agent, attributes: { rack: ['r1'] } } },
      ['wake', 'event'],
    ],
    [
      'leaves maintenance',
      { before: { ...agent, mode: 'DRAINED' as const }, after: agent },
      ['wake', 'event'],
    ],
    [
      'is to be emptied',
      { before: agent, after: { ...agent, mode: 'DRAINING' as const, drain } },
      ['drain', 'wake', 'event'],
    ],
    [
      'is to be emptied sooner',
      {
        before: { ...agent, mode: 'DRAINING' as const, drain },
        after: { ...agent, mode: 'DRAINING' as const, drain: { ...drain, deadlineAt: t0 } },
      },
      ['drain', 'wake', 'event'],
    ],
    [
      'is empty',
      {
        before: { ...agent, mode: 'DRAINING' as const, drain },
        after: { ...agent, mode: 'DRAINED' as const, drain },
      },
      ['wake', 'event'],
    ],
    ['is forgotten', { before: agent }, ['queueEnd', 'event']],
  ])('that %s', (_what, change, expected) => {
    expect(effects({ kind: 'agent', ...change }).map(({ kind }) => kind)).toEqual(expected);
  });

  it('a probe goes on as it was sent', () => {
    expect(deriveEffects({ kind: 'probe', sentAt: t0 }, 'local', t0 + 5)).toEqual([
      { kind: 'probe', sentAt: t0 },
    ]);
  });

  it('nothing follows from a ledger or from rows of other kinds', () => {
    expect(effects({ kind: 'ledger' })).toEqual([]);
    expect(effects({ kind: 'other' })).toEqual([]);
  });
});
