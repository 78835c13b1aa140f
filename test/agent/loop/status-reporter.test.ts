import { describe, expect, it } from 'vitest';
import { StatusReporter } from '../../../agent/loop/status-reporter.ts';
import type { TaskStatus } from '../../../shared/model/protocol.ts';
import { waitFor } from '../fakes/agent-fixture.ts';

const statusOf = (n: number, message?: string): TaskStatus => ({
  taskId: `r~e~n~${n}~1~x`,
  state: 'RUNNING',
  at: n,
  ...(message === undefined ? {} : { message }),
});

describe('StatusReporter', () => {
  it('sends what comes together in one report, in order, at most 100 at a time', async () => {
    const sent: TaskStatus[][] = [];
    const reporter = new StatusReporter(
      async (statuses) => void sent.push(statuses),
      10,
      () => {},
    );
    for (let i = 0; i < 250; i++) reporter.report(statusOf(i), () => {});
    await reporter.stop(10_000);
    expect(sent.map((batch) => batch.length)).toEqual([100, 100, 50]);
    expect(sent.flat().map((status) => status.at)).toEqual(Array.from({ length: 250 }, (_, i) => i));
  });

  it('keeps what was not accepted and sends it again, in order', async () => {
    const sent: number[] = [];
    let failures = 2;
    const reporter = new StatusReporter(
      async (statuses) => {
        if (failures-- > 0) throw new Error('down');
        sent.push(...statuses.map((status) => status.at));
      },
      1,
      () => {},
    );
    const accepted: number[] = [];
    reporter.report(statusOf(1), () => accepted.push(1));
    reporter.report(statusOf(2), () => accepted.push(2));
    expect(reporter.isWaiting(statusOf(1).taskId, 'RUNNING')).toBe(true);
    await waitFor(() => expect(accepted).toEqual([1, 2]));
    expect(sent).toEqual([1, 2]);
    expect(reporter.isWaiting(statusOf(1).taskId, 'RUNNING')).toBe(false);
  });

  it('keeps a report within what a queue message takes', async () => {
    const sizes: number[] = [];
    const reporter = new StatusReporter(
      async (statuses) => void sizes.push(Buffer.byteLength(JSON.stringify(statuses))),
      1,
      () => {},
    );
    for (let i = 0; i < 100; i++) reporter.report(statusOf(i, '€'.repeat(1024)), () => {});
    await reporter.stop(10_000);
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThan(220_000);
  });

  it('gives up at the end of its time when told to stop during an outage', async () => {
    const reporter = new StatusReporter(
      () => Promise.reject(new Error('down')),
      1,
      () => {},
    );
    reporter.report(statusOf(1), () => {});
    await reporter.stop(50);
    expect(reporter.isWaiting(statusOf(1).taskId, 'RUNNING')).toBe(true);
  });
});
