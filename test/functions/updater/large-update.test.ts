// Updates of jobs too large to be looked at whole at every step: what they read, and that they miss nothing by it.
import { describe, expect, it } from 'vitest';
import type { UpdateSettingsInput } from '../../../shared/model/update.ts';
import { type RunningUpdate, runUpdate } from '../support/update-run.ts';

const instances = 1500;
const soon = (instance: number) => 1000 + ((instance * 7919) % 5) * 1000;
const batches = (groupSize: number, more: UpdateSettingsInput = {}): UpdateSettingsInput => ({
  strategy: { kind: 'batch', groupSize },
  minWaitInInstanceRunningMs: 0,
  ...more,
});

/** An agent is lost: its tasks end as LOST and their successors come up like any other. */
async function loses(run: RunningUpdate, lost: readonly number[]): Promise<void> {
  for (const instance of lost) {
    const task = await run.newest(instance);
    if (task.state === 'RUNNING') await run.move(task, 'LOST');
  }
}

describe('an update of 1,500 instances', () => {
  it('goes forward in batches, reading what it works on and not the job', async () => {
    const run = await runUpdate({ instances, settings: batches(50), startMs: soon });
    expect(run.update.status).toBe('ROLLED_FORWARD');
    expect(run.configs.every((configId) => configId === run.after)).toBe(true);
    expect(run.mostDown).toBe(50);
    expect(run.transitions).toBe(4 * 30 + 2);
    // Each step reads its batch and the next one; the whole job is read some times besides.
    expect(run.taskRowsRead / instances).toBeLessThan(60);
  });

  it('is put back in reverse when a late instance fails, agents being lost meanwhile in both directions', async () => {
    // Instance 700 never becomes healthy; agents with instances of batches done, at work and to come are lost.
    const run = await runUpdate({
      instances,
      settings: batches(50, { minWaitInInstanceRunningMs: 2000 }),
      startMs: soon,
      fails: ({ instance, priority }) => instance === 700 && priority === 1,
      incidents: [
        { atMs: 30_000, what: (one) => loses(one, [3, 4, 120, 900, 1400]) },
        { atMs: 75_000, what: (one) => loses(one, [10, 11, 12, 500, 1300, 1499]) },
        { atMs: 140_000, what: (one) => loses(one, [0, 1, 300, 600, 1200]) },
      ],
    });
    expect(run.update.events.map(({ status }) => status)).toEqual([
      'ROLLING_FORWARD',
      'ROLLING_BACK',
      'ROLLED_BACK',
    ]);
    expect(run.update.events[1]?.message).toBe('Latest failure: instance 700 exited.');
    expect(run.update.progress).toMatchObject({ visited: 750, revisited: 750, working: [] });
    expect(run.configs.every((configId) => configId === run.before)).toBe(true);
    // The batch, and what was lost besides it.
    expect(run.mostDown).toBeLessThanOrEqual(50 + 6);
  });

  it.each([false, true])(
    'counts instances lost far from its batch against its budget (handing over: %s)',
    async (hands) => {
      // 40 of the last ones are lost and stay down for long; batches of 50 may then take down 10 at a time.
      const lost = Array.from({ length: 40 }, (_none, i) => 1400 + i);
      let downWithBatch = 0;
      const run = await runUpdate({
        instances,
        settings: batches(50),
        startMs: (instance, generation) => (instance >= 1400 && generation === 2 ? 100_000 : soon(instance)),
        ...(hands && { turnsPerExecution: 2 }),
        incidents: [
          { atMs: 20_000, what: (one) => loses(one, lost) },
          ...Array.from({ length: 30 }, (_none, i) => ({
            atMs: 35_000 + i * 2500,
            what: async (one: RunningUpdate) => {
              downWithBatch = Math.max(downWithBatch, one.down());
            },
          })),
        ],
      });
      expect(run.update.status).toBe('ROLLED_FORWARD');
      expect(downWithBatch).toBeGreaterThan(40);
      expect(downWithBatch).toBeLessThanOrEqual(50);
    },
  );

  it('counts instances that a drain takes down, and those it has not brought up again elsewhere', async () => {
    const drained = Array.from({ length: 40 }, (_none, i) => 1400 + i);
    let downWithBatch = 0;
    const count = async (one: RunningUpdate) => {
      downWithBatch = Math.max(downWithBatch, one.down());
    };
    const run = await runUpdate({
      instances,
      settings: batches(50),
      startMs: (instance, generation) => (instance >= 1400 && generation === 2 ? 100_000 : soon(instance)),
      incidents: [
        {
          atMs: 20_000,
          what: async (one) => {
            for (const instance of drained) await one.move(await one.newest(instance), 'DRAINING');
          },
        },
        ...Array.from({ length: 30 }, (_none, i) => ({ atMs: 35_000 + i * 2500, what: count })),
      ],
    });
    expect(run.update.status).toBe('ROLLED_FORWARD');
    expect(downWithBatch).toBeGreaterThan(40);
    expect(downWithBatch).toBeLessThanOrEqual(50);
  });

  it('waits when more than its batch is down, and goes on by itself when they are back', async () => {
    const lost = Array.from({ length: 60 }, (_none, i) => 1400 + i);
    const run = await runUpdate({
      instances,
      settings: batches(50),
      startMs: (instance, generation) => (instance >= 1400 && generation === 2 ? 600_000 : soon(instance)),
      incidents: [{ atMs: 20_000, what: (one) => loses(one, lost) }],
    });
    expect(run.update.status).toBe('ROLLED_FORWARD');
    expect(run.simulatedMs).toBeGreaterThan(620_000);
  });
});
