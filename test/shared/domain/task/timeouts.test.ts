import { describe, expect, it } from 'vitest';
import { attemptsToRunning } from '../../../../agent/health/verdict.ts';
import { applyTransition } from '../../../../shared/domain/task/apply.ts';
import { defaultFlapping } from '../../../../shared/domain/task/flapping.ts';
import { createTask, successorOf } from '../../../../shared/domain/task/successor.ts';
import {
  defaultTimeouts,
  timedOut,
  timeoutsWith,
  warmUpSecs,
} from '../../../../shared/domain/task/timeouts.ts';
import { healthCheckSchema, type TaskConfig } from '../../../../shared/model/task-config.ts';
import { taskTimeoutsSchema } from '../../../../shared/model/task-timeouts.ts';
import { at, grant, jobKey, sampleConfig, sources } from './sample-task.ts';

const minute = 60_000;
const newTask = (config: TaskConfig) =>
  createTask(
    { job: jobKey, instance: 0, generation: 1, configId: 'c', spec: 1, config, now: 0 },
    sources().ids,
  );

describe('the deadline of STARTING', () => {
  it('is longer by what the health check of the task may take, also for its successors', () => {
    const slow = healthCheckSchema.parse({
      shell: { command: 'true' },
      initialIntervalSecs: 600,
      intervalSecs: 30,
      maxConsecutiveFailures: 2,
      minConsecutiveSuccesses: 3,
      timeoutSecs: 5,
    });
    const task = newTask({ ...sampleConfig, healthCheck: slow });
    const input = { ...at(0), agentId: 'a', grant };
    const assigned = applyTransition(task, 'ASSIGNED', input, sources()).next;
    expect(assigned?.deadlineAt).toBe(5 * minute);
    const starting = assigned && applyTransition(assigned, 'STARTING', at(minute), sources()).next;
    const warmUpMs = (attemptsToRunning(slow) + 1) * 35_000;
    expect(starting?.deadlineAt).toBe(6 * minute + warmUpMs);
    expect(warmUpMs).toBeGreaterThan(10 * minute);
    const next = starting && successorOf(starting, 0, defaultFlapping, sources());
    expect(next?.warmUpSecs).toBe(task.warmUpSecs);
  });

  it('is the plain one without a health check', () => {
    expect(newTask(sampleConfig)).not.toHaveProperty('warmUpSecs');
    expect(warmUpSecs(undefined)).toBe(0);
  });
});

describe('the setting of deadlines', () => {
  it('replaces those it names', () => {
    const set = taskTimeoutsSchema.parse('ASSIGNED=120, KILLING=3600');
    expect(timeoutsWith(set)).toEqual({ ...defaultTimeouts, ASSIGNED: 120_000, KILLING: 3_600_000 });
    expect(timeoutsWith(taskTimeoutsSchema.parse(undefined))).toEqual(defaultTimeouts);
    const killing = { state: 'KILLING', deadlineAt: 3_600_000 } as const;
    expect(timedOut(killing, 3_599_999)).toBeUndefined();
    expect(timedOut(killing, 3_600_000)).toMatchObject({ to: 'LOST' });
  });

  it.each(['RUNNING=10', 'ASSIGNED', 'ASSIGNED=0', 'ASSIGNED=1.5', 'ASSIGNED=1e9', 'x'])(
    'refuses %s',
    (text) => {
      expect(taskTimeoutsSchema.safeParse(text).success).toBe(false);
    },
  );
});
