import { describe, expect, it } from 'vitest';
import type { Absences, KnownTask, ReconcileInput } from '../../../agent/loop/reconcile.ts';
import { noAbsences, planReconcile } from '../../../agent/loop/reconcile.ts';
import type { DesiredTasks, TaskLaunch } from '../../../shared/model/protocol.ts';
import type { TaskState } from '../../../shared/model/task.ts';
import { launchOf } from '../fakes/launches.ts';

const now = 1_000_000;

function active(taskId: string, more: Partial<KnownTask> = {}): KnownTask {
  return { taskId, isKillRequested: false, ...more };
}

function plan(
  level: readonly [TaskLaunch, boolean, TaskState?][],
  more: Partial<Omit<ReconcileInput, 'desired'>> & { asOf?: number } = {},
) {
  const desired: DesiredTasks = {
    agentId: 'a',
    asOf: more.asOf ?? now - 10,
    tasks: level.map(([launch, run, state]) => ({
      state: state ?? (run ? 'RUNNING' : 'KILLING'),
      run,
      launch,
    })),
  };
  return planReconcile({
    requestedAt: now - 20,
    active: [],
    activeThen: new Set((more.active ?? []).map(({ taskId }) => taskId)),
    endedTask: () => undefined,
    absences: noAbsences,
    resendAfterMs: 15_000,
    now,
    ...more,
    desired,
  });
}

const task = launchOf({ processes: [{ name: 'a', cmdline: 'true' }] });
const id = task.taskId;

/** Feeds the same level again and again; how many answers it took to kill something. */
function answersUntilKill(
  tasks: readonly KnownTask[],
  asOfOf: (i: number) => number,
  more: Partial<ReconcileInput> = {},
): number | undefined {
  let absences: Absences = noAbsences;
  for (let i = 1; i <= 10; i++) {
    const result = plan([], { active: tasks, absences, asOf: asOfOf(i), ...more });
    if (result.kill.length > 0) return i;
    absences = result.absences;
  }
  return undefined;
}

describe('planReconcile', () => {
  it('starts what should run and is unknown', () => {
    expect(plan([[task, true, 'ASSIGNED']])).toMatchObject({ start: [task], kill: [], resend: [], lost: [] });
  });

  it.each(['STARTING', 'RUNNING', 'PARTITIONED'] as const)(
    'gives up, and does not start again, what it has lost although it is %s',
    (state) => {
      expect(plan([[task, true, state]])).toMatchObject({ start: [], lost: [id], resend: [] });
    },
  );

  it('tells its status again when the level is behind what it reported long ago', () => {
    const running = (acceptedAt?: number) => ({
      active: [active(id, { last: { state: 'RUNNING', ...(acceptedAt !== undefined && { acceptedAt }) } })],
    });
    const tellOf = (state: TaskState, acceptedAt?: number) =>
      plan([[task, true, state]], running(acceptedAt)).tell;
    expect(tellOf('PARTITIONED', now - 20_000)).toEqual([id]);
    expect(tellOf('STARTING', now - 20_000)).toEqual([id]);
    expect(tellOf('ASSIGNED', now - 20_000)).toEqual([id]);
    expect(tellOf('RUNNING', now - 20_000)).toEqual([]);
    expect(tellOf('STARTING', now - 5000)).toEqual([]);
    expect(tellOf('STARTING')).toEqual([]);
    // The clock was an hour ahead when the report was taken, and was set since.
    expect(tellOf('STARTING', now + 3_600_000)).toEqual([id]);
    expect(plan([[task, false, 'KILLING']], running(now - 20_000)).tell).toEqual([]);
  });

  it('tells of a task that is missing from the level: the answer is a kill if it must not run', () => {
    expect(plan([], { active: [active(id)] })).toMatchObject({ tell: [id], kill: [] });
    expect(plan([], { active: [active(id, { isKillRequested: true })] }).tell).toEqual([]);
    expect(plan([], { active: [active(id)], activeThen: new Set() }).tell).toEqual([]);
  });

  it('leaves alone what runs and should run', () => {
    expect(plan([[task, true]], { active: [active(id)] })).toMatchObject({ start: [], kill: [], resend: [] });
  });

  it('kills at once what should not run, and only once', () => {
    expect(plan([[task, false]], { active: [active(id)] }).kill).toEqual([id]);
    expect(plan([[task, false]], { active: [active(id, { isKillRequested: true })] }).kill).toEqual([]);
  });

  it('never starts what has ended here, and reports its end again once the last report is old', () => {
    const ended = (acceptedAt?: number) => () =>
      active(id, { ended: acceptedAt === undefined ? {} : { acceptedAt } });
    expect(plan([[task, true]], { endedTask: ended(now - 20_000) })).toMatchObject({
      start: [],
      resend: [id],
    });
    expect(plan([[task, true]], { endedTask: ended(now - 5000) })).toMatchObject({ start: [], resend: [] });
    expect(plan([[task, true]], { endedTask: ended(now + 3_600_000) }).resend).toEqual([id]);
    // Not accepted yet: it is on its way.
    expect(plan([[task, true]], { endedTask: ended() })).toMatchObject({ start: [], resend: [] });
  });

  it('answers for a task that is to be ended and never came here', () => {
    expect(plan([[task, false]])).toMatchObject({ start: [], kill: [], resend: [id] });
  });

  it('kills what is missing from two answers in a row', () => {
    expect(answersUntilKill([active(id)], (i) => now - 1000 + i)).toBe(2);
  });

  it('is not moved by the same answer given again', () => {
    expect(answersUntilKill([active(id)], () => now - 1000)).toBeUndefined();
  });

  it('does not let an answer that was asked for before the task came kill it', () => {
    const justCame = { activeThen: new Set<string>() };
    expect(answersUntilKill([active(id)], (i) => now + i, justCame)).toBeUndefined();
  });

  it.each([-900_000, 900_000])(
    'kills a stray as soon when the clock of the server differs by %i ms',
    (skewMs) => {
      expect(answersUntilKill([active(id)], (i) => now + skewMs + i)).toBe(2);
    },
  );

  it('waits longer when most tasks are missing at once', () => {
    const many = Array.from({ length: 8 }, (_, i) => active(`t${i}`));
    expect(answersUntilKill(many, (i) => now - 1000 + i)).toBe(4);
  });

  it('forgets an absence once the task is listed again', () => {
    const tasks = [active(id)];
    const first = plan([], { active: tasks, asOf: now - 900 });
    const second = plan([[task, true]], { active: tasks, absences: first.absences, asOf: now - 800 });
    const third = plan([], { active: tasks, absences: second.absences, asOf: now - 700 });
    expect([first.kill, second.kill, third.kill]).toEqual([[], [], []]);
  });
});
