// The table of figures in docs/cost.md, computed, so that the document never says what the calculator does not.
import {
  agentMonthUsd,
  alternatives,
  count,
  fleetMonthUsd,
  monthlyCost,
  updateUsd,
  type Workload,
} from './model.ts';
import type { Prices } from './prices.ts';
import type { Units } from './usage.ts';

const idle: Workload = { agents: 0, tasks: 0 };
const workloads: readonly (readonly [what: string, workload: Workload])[] = [
  ['control plane with nothing to do', idle],
  ['10 agents, 10,000 tasks', { agents: 10, tasks: 10_000 }],
  ['100 agents, 1,000,000 tasks', { agents: 100, tasks: 1_000_000 }],
  ['1,000 agents, 10,000,000 tasks', { agents: 1_000, tasks: 10_000_000 }],
];

/** Markdown tables for every region of the price list. */
export function costFigures(units: Units, prices: Prices): string {
  const regions = Object.entries(prices.regions);
  const header = regions.map(([name]) => name).join(' | ');
  const rule = '---:|'.repeat(regions.length);
  const row = (what: string, of: (region: (typeof regions)[number][1]) => number): string =>
    `| ${what} | ${regions.map(([, region]) => `$${of(region).toFixed(2)}`).join(' | ')} |`;
  const [first] = regions;
  return [
    `Units counted on ${units.measuredOn} by \`${units.command}\`; list prices of ${prices.date}; dollars a month.`,
    '',
    `| Borealis | ${header} |`,
    `|---|${rule}`,
    row('control plane, idle', (region) => monthlyCost(units, region, idle).parts[0]?.usd ?? 0),
    row('its alarms and dashboard', (region) => monthlyCost(units, region, idle).parts[1]?.usd ?? 0),
    row('roll call, once there are agents', (region) => fleetMonthUsd(units, region)),
    row('one agent, idle', (region) => agentMonthUsd(units, region)),
    row(
      'a million tasks',
      (region) => monthlyCost(units, region, { ...idle, tasks: 1_000_000 }).parts[2]?.usd ?? 0,
    ),
    row(
      'a thousand updates of 100 instances in batches of 10, their tasks included',
      (region) => 1_000 * updateUsd(units, region, { instances: 100, batchSize: 10 }),
    ),
    ...workloads.flatMap(([what, workload]) => [
      row(`**${what}**, list price`, (region) => monthlyCost(units, region, workload).usd),
      row('less what an account gets free', (region) => {
        const { usd, alwaysFreeUsd } = monthlyCost(units, region, workload);
        return usd - alwaysFreeUsd;
      }),
    ]),
    '',
    `| Others, before anything runs | ${header} |`,
    `|---|${rule}`,
    ...alternatives(first?.[1] as (typeof regions)[number][1]).map(({ what }, index) =>
      row(what, (region) => alternatives(region)[index]?.usd ?? 0),
    ),
    '',
    '| Counted | per hour, idle control plane | per hour, roll call | per hour, idle agent | per task | per update | and per batch | and per instance |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...(Object.keys(units.task) as (keyof Units['task'])[]).map(
      (unit) =>
        `| ${unit} | ${[units.idleHour, units.fleetHour, units.agentHour, units.task, units.update.itself, units.update.batch, units.update.instance].map((usage) => shown(usage[unit])).join(' | ')} |`,
    ),
    `| queues that are polled | ${units.polledQueues.standard} standard, ${units.polledQueues.fifo} FIFO | | | | | | |`,
  ].join('\n');
}

function shown(value: number): string {
  return value >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
}
