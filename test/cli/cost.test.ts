// The calculator: sums worked out by hand, the bars of the design, and the document that must say the same.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readUnits } from '../../cli/commands/cost.ts';
import { costFigures } from '../../cli/cost/figures.ts';
import { agentMonthUsd, fleetMonthUsd, monthlyCost, updateUsd } from '../../cli/cost/model.ts';
import { readPrices, regionPrices } from '../../cli/cost/prices.ts';
import { addUsage, nothing, type Units } from '../../cli/cost/usage.ts';
import { runCli } from './support/fake-io.ts';

const prices = readPrices();
const virginia = regionPrices(prices, 'us-east-1');
const units: Units = {
  measuredOn: '2026-01-01',
  command: 'by hand',
  polledQueues: { standard: 1, fifo: 1 },
  alarms: 12,
  dashboardMetrics: 40,
  metrics: 11,
  idleHour: { ...nothing, invocations: 60, schedulerCalls: 60 },
  fleetHour: { ...nothing, sqsRequests: 300 },
  agentHour: { ...nothing, sqsRequests: 100, apiRequests: 10 },
  task: { ...nothing, writeUnits: 12, busEvents: 5, stepTransitions: 0 },
  tasksPerAgent: 20,
  update: {
    itself: { ...nothing, apiRequests: 1, stepTransitions: 3 },
    batch: { ...nothing, stepTransitions: 4 },
    instance: { ...nothing, writeUnits: 10 },
  },
};

describe('the monthly bill', () => {
  it('of an idle control plane is its calls and the polls of its queues', () => {
    const { parts } = monthlyCost(units, virginia, { agents: 0, tasks: 0 });
    const polls = 5 * 3 * 60 * 730;
    const calls = 60 * 730;
    expect(parts[0]?.usd).toBeCloseTo((polls * 0.4 + polls * 0.5 + calls * 0.2 + calls * 1) / 1e6, 6);
    expect(parts[1]?.usd).toBeCloseTo(12 * 0.1 + 3, 6);
    expect(parts).toHaveLength(2);
  });

  it('of agents and tasks is their units times their number', () => {
    const { parts } = monthlyCost(units, virginia, { agents: 7, tasks: 2_000_000 });
    expect(parts[2]?.usd).toBeCloseTo((730 * 300 * 0.4) / 1e6, 6);
    expect(parts[3]?.usd).toBeCloseTo((7 * 730 * (100 * 0.4 + 10 * 1)) / 1e6, 6);
    expect(parts[4]?.usd).toBeCloseTo(2 * (12 * 0.625 + 5 * 1) + 11 * 0.3, 6);
    expect(agentMonthUsd(units, virginia)).toBeCloseTo((730 * (100 * 0.4 + 10)) / 1e6, 9);
  });

  it('of updates is what each, each of its batches and each of its instances uses', () => {
    // 25 instances in batches of 10 are three batches.
    const size = { instances: 25, batchSize: 10 };
    const one = (1 * 1 + (3 + 3 * 4) * 25 + 25 * 10 * 0.625) / 1e6;
    expect(updateUsd(units, virginia, size)).toBeCloseTo(one, 12);
    const updates = { count: 1_000, ...size };
    const { parts, usd } = monthlyCost(units, virginia, { agents: 0, tasks: 0, updates });
    expect(parts[2]).toMatchObject({ part: '1,000 updates of 25 instances in batches of 10' });
    expect(parts[2]?.usd).toBeCloseTo(1_000 * one, 9);
    const without = monthlyCost(units, virginia, { agents: 0, tasks: 0 });
    expect(usd - without.usd).toBeCloseTo(1_000 * one, 9);
    const none = monthlyCost(units, virginia, { agents: 0, tasks: 0, updates: { ...updates, count: 0 } });
    expect(none).toEqual(without);
  });

  it('takes off what is free, and never more than was used', () => {
    const idle = monthlyCost(units, virginia, { agents: 0, tasks: 0 });
    const polls = 5 * 3 * 60 * 730;
    const sqs = polls * 0.5 + (1e6 - polls) * 0.4;
    const calls = 60 * 730 * (0.2 + 1);
    expect(idle.alwaysFreeUsd).toBeCloseTo((sqs + calls) / 1e6 + 10 * 0.1 + 3, 6);
    const tiny = { ...units, polledQueues: { standard: 0, fifo: 0 }, alarms: 3, idleHour: nothing };
    const { usd, alwaysFreeUsd } = monthlyCost(tiny, virginia, { agents: 0, tasks: 0 });
    expect(usd - alwaysFreeUsd).toBeCloseTo(0, 9);
  });

  it('is not free beyond fifty metrics on the dashboard', () => {
    const few = monthlyCost(units, virginia, { agents: 0, tasks: 0 });
    const many = monthlyCost({ ...units, dashboardMetrics: 51 }, virginia, { agents: 0, tasks: 0 });
    expect(few.alwaysFreeUsd - many.alwaysFreeUsd).toBeCloseTo(3, 9);
  });
});

describe('usage', () => {
  it('adds up unit by unit', () => {
    const sum = addUsage(
      [{ ...nothing, invocations: 2, readUnits: 1 }, 3],
      [{ ...nothing, readUnits: 1 }, -1],
    );
    expect(sum).toEqual({ ...nothing, invocations: 6, readUnits: 2 });
  });
});

describe('what was counted', () => {
  const counted = readUnits();

  const idleUsd = (region: typeof virginia) => monthlyCost(counted, region, { agents: 0, tasks: 0 });

  it('keeps the bar of an idle control plane: less than two dollars at list prices, alarms and dashboard apart', () => {
    for (const region of Object.values(prices.regions)) {
      expect(idleUsd(region).parts[0]?.part).toBe('control plane, idle');
      expect(idleUsd(region).parts[0]?.usd).toBeLessThan(2);
    }
  });

  it('keeps it also with agents, whose roll call is the one thing that comes on top, at the prices of us-east-1', () => {
    const idle = idleUsd(virginia).parts[0]?.usd ?? 0;
    expect(idle + fleetMonthUsd(counted, virginia)).toBeLessThan(2);
  });

  it('keeps it also if functions take three times as long on AWS as here', () => {
    const slower = {
      ...counted,
      idleHour: { ...counted.idleHour, gbSeconds: 3 * counted.idleHour.gbSeconds },
    };
    expect(monthlyCost(slower, virginia, { agents: 0, tasks: 0 }).parts[0]?.usd).toBeLessThan(2);
  });

  it('asks for less than three dollars in all, its 27 alarms included, less what an account gets free', () => {
    expect(counted.alarms).toBe(27);
    for (const region of Object.values(prices.regions)) {
      expect(idleUsd(region).usd - idleUsd(region).alwaysFreeUsd).toBeLessThan(3);
    }
  });

  it('counts an update whole: at most five transitions a batch, and a whole task life an instance', () => {
    const { itself, batch, instance } = counted.update;
    expect(batch.stepTransitions).toBeGreaterThanOrEqual(4);
    expect(batch.stepTransitions).toBeLessThanOrEqual(5);
    expect(instance.stepTransitions).toBeLessThan(0.1);
    expect(itself.writeUnits + batch.writeUnits).toBeGreaterThan(0);
    expect(instance.writeUnits).toBeGreaterThan(10);
  });

  it('keeps the bar of an idle agent: ten cents at list prices', () => {
    expect(agentMonthUsd(counted, virginia)).toBeLessThanOrEqual(0.1);
  });

  it('is what docs/cost.md shows', () => {
    expect(readFileSync('docs/cost.md', 'utf8')).toContain(
      `<!-- figures -->\n${costFigures(counted, prices)}\n<!-- /figures -->`,
    );
  });
});

describe('borealis cost', () => {
  it('shows each part with its lines, what is free, and what it rests on', async () => {
    const { code, out, err } = await runCli(['cost', '--agents', '3', '--tasks', '5000']);
    expect(code).toBe(0);
    expect(out).toMatch(/^control plane, idle +\d+\.\d\d$/m);
    expect(out).toMatch(/^3 agents, idle +\d+\.\d\d$/m);
    expect(out).toMatch(/^5,000 tasks +\d+\.\d\d$/m);
    expect(out).toMatch(/^to pay +\d+\.\d\d$/m);
    expect(err).toContain(`prices of us-east-1, ${prices.date}`);
  });

  it('prices updates of the size it is told', async () => {
    const small = await runCli([
      'cost',
      '--updates',
      '30',
      '--update-instances',
      '10',
      '--update-batch',
      '1',
    ]);
    expect(small.out).toMatch(/^30 updates of 10 instances in batches of 1 +\d+\.\d\d/m);
    expect(small.out).toMatch(/^ {2}Step Functions transitions +1,\d{3} /m);
  });

  it('answers programs with the same numbers', async () => {
    const { out } = await runCli(['cost', '--agents', '3', '--region', 'eu-central-1', '--json']);
    const answer = JSON.parse(out) as { usd: number; parts: { usd: number }[]; basis: object };
    expect(answer.usd).toBeCloseTo(
      answer.parts.reduce((sum, { usd }) => sum + usd, 0),
      9,
    );
    expect(answer.basis).toMatchObject({ region: 'eu-central-1', pricesOf: prices.date });
  });

  it.each([
    [['--region', 'moon-1'], 'known are us-east-1, eu-central-1', 6],
    [['--update-batch', '0'], 'at least one instance', 6],
    [['--agents', 'many'], '"many" is not a number', 6],
    [['--prices', 'package.json'], 'is not a list of prices', 3],
  ])('%j is refused with what to do', async (args, message, exit) => {
    const { code, err } = await runCli(['cost', ...args]);
    expect(err).toContain(message);
    expect(code).toBe(exit);
  });
});
