// What an installation costs a month: measured units times listed prices. Pure.
import type { RegionPrices } from './prices.ts';
import { addUsage, nothing, type Units, type Usage, type UsageUnit } from './usage.ts';

const hoursPerMonth = 730;
/** An event source mapping polls a queue with at least five receivers, each 20 s long, also when nothing comes. */
const pollsPerQueueHour = 5 * 3 * 60;
const dashboardsFreeUpTo = 50;

/** What is asked of the installation in a month. */
export interface Workload {
  readonly agents: number;
  readonly tasks: number;
  /** Rolling updates. @default none */
  readonly updates?: Updates;
}

/** So many updates a month, all of this size. */
export interface Updates {
  readonly count: number;
  readonly instances: number;
  readonly batchSize: number;
}

export interface CostLine {
  readonly what: string;
  /** How many of them, a month. */
  readonly count: number;
  readonly usd: number;
}

interface CostPart {
  readonly part: string;
  readonly lines: readonly CostLine[];
  readonly usd: number;
}

export interface Cost {
  readonly parts: readonly CostPart[];
  /** At list prices. */
  readonly usd: number;
  /** What AWS gives every account each month for ever, if nothing else in the account uses it. */
  readonly alwaysFreeUsd: number;
}

const names: Readonly<Record<UsageUnit, string>> = {
  invocations: 'Lambda invocations',
  gbSeconds: 'Lambda GB seconds',
  sqsRequests: 'SQS requests',
  sqsFifoRequests: 'SQS FIFO requests',
  apiRequests: 'HTTP API requests',
  readUnits: 'DynamoDB read units',
  writeUnits: 'DynamoDB write units',
  busEvents: 'events on the bus',
  schedulerCalls: 'calls of EventBridge Scheduler',
  logBytes: 'bytes of logs',
  stepTransitions: 'Step Functions transitions',
};

/** The monthly bill of a workload. */
export function monthlyCost(units: Units, prices: RegionPrices, { agents, tasks, updates }: Workload): Cost {
  const idle = controlPlaneMonth(units);
  const ofFleet = addUsage([units.fleetHour, agents > 0 ? hoursPerMonth : 0]);
  const ofAgents = addUsage([units.agentHour, hoursPerMonth * agents]);
  const ofTasks = addUsage([units.task, tasks]);
  const ofUpdates = updates === undefined ? nothing : addUsage([updateUsage(units, updates), updates.count]);
  const parts = [
    { part: 'control plane, idle', lines: usageLines(idle, prices) },
    { part: 'alarms and dashboard', lines: watchLines(units, prices) },
    ...(agents > 0
      ? [
          { part: 'roll call of agents', lines: usageLines(ofFleet, prices) },
          { part: `${count(agents)} agents, idle`, lines: usageLines(ofAgents, prices) },
        ]
      : []),
    ...(tasks > 0
      ? [
          {
            part: `${count(tasks)} tasks`,
            lines: [...usageLines(ofTasks, prices), metricLine(units, prices)],
          },
        ]
      : []),
    ...(updates && updates.count > 0
      ? [{ part: nameOfUpdates(updates), lines: usageLines(ofUpdates, prices) }]
      : []),
  ].map(({ part, lines }): CostPart => ({ part, lines, usd: sumOf(lines) }));
  const usage = addUsage([idle, 1], [ofFleet, 1], [ofAgents, 1], [ofTasks, 1], [ofUpdates, 1]);
  return { parts, usd: sumOf(parts), alwaysFreeUsd: alwaysFree(usage, units, prices, tasks > 0) };
}

/** The roll call, once there are agents, a month. */
export function fleetMonthUsd(units: Units, prices: RegionPrices): number {
  return sumOf(usageLines(addUsage([units.fleetHour, hoursPerMonth]), prices));
}

/** One agent that has nothing to do, a month. */
export function agentMonthUsd(units: Units, prices: RegionPrices): number {
  return sumOf(usageLines(addUsage([units.agentHour, hoursPerMonth]), prices));
}

/** One update of this size, dollars. */
export function updateUsd(units: Units, prices: RegionPrices, size: Omit<Updates, 'count'>): number {
  return sumOf(usageLines(updateUsage(units, size), prices));
}

function updateUsage({ update }: Units, { instances, batchSize }: Omit<Updates, 'count'>): Usage {
  const batches = Math.ceil(instances / batchSize);
  return addUsage([update.itself, 1], [update.batch, batches], [update.instance, instances]);
}

function nameOfUpdates({ count: updates, instances, batchSize }: Updates): string {
  return `${count(updates)} updates of ${count(instances)} instances in batches of ${count(batchSize)}`;
}

function controlPlaneMonth({ idleHour, polledQueues }: Units): Usage {
  const polls = {
    ...nothing,
    sqsRequests: polledQueues.standard * pollsPerQueueHour,
    sqsFifoRequests: polledQueues.fifo * pollsPerQueueHour,
  };
  return addUsage([idleHour, hoursPerMonth], [polls, hoursPerMonth]);
}

function usageLines(usage: Usage, prices: RegionPrices): CostLine[] {
  return (Object.keys(names) as UsageUnit[])
    .filter((unit) => usage[unit] > 0)
    .map((unit) => ({
      what: names[unit],
      count: Math.round(usage[unit]),
      usd: usage[unit] * unitUsd(unit, prices),
    }));
}

function unitUsd(unit: UsageUnit, prices: RegionPrices): number {
  return unit === 'logBytes' ? prices.logGigabyte / 1e9 : prices[unit] / 1e6;
}

function watchLines({ alarms, dashboardMetrics }: Units, prices: RegionPrices): CostLine[] {
  return [
    { what: 'alarms', count: alarms, usd: alarms * prices.alarmMonth },
    { what: `dashboard with ${dashboardMetrics} metrics`, count: 1, usd: prices.dashboardMonth },
  ];
}

/** While tasks come and go; none is written while nothing happens. */
function metricLine({ metrics }: Units, prices: RegionPrices): CostLine {
  return { what: 'metrics, if tasks come in every hour', count: metrics, usd: metrics * prices.metricMonth };
}

function alwaysFree(usage: Usage, units: Units, prices: RegionPrices, hasTasks: boolean): number {
  const free: readonly (readonly [used: number, free: number, usd: number])[] = [
    [usage.invocations, 1e6, unitUsd('invocations', prices)],
    [usage.gbSeconds, 400_000, unitUsd('gbSeconds', prices)],
    // One million of both kinds together.
    [usage.sqsRequests, Math.max(0, 1e6 - usage.sqsFifoRequests), unitUsd('sqsRequests', prices)],
    [usage.sqsFifoRequests, 1e6, unitUsd('sqsFifoRequests', prices)],
    [usage.schedulerCalls, 14e6, unitUsd('schedulerCalls', prices)],
    [usage.logBytes, 5e9, unitUsd('logBytes', prices)],
    [usage.stepTransitions, 4_000, unitUsd('stepTransitions', prices)],
    [units.alarms, 10, prices.alarmMonth],
    [units.dashboardMetrics <= dashboardsFreeUpTo ? 1 : 0, 3, prices.dashboardMonth],
    [hasTasks ? units.metrics : 0, 10, prices.metricMonth],
  ];
  return free.reduce((sum, [used, most, usd]) => sum + Math.min(used, most) * usd, 0);
}

/** What others ask for the same before they run anything, dollars a month. */
export function alternatives(prices: RegionPrices): readonly CostLine[] {
  const disk = 50 * prices.diskGigabyteMonth;
  return [
    {
      what: 'three scheduler machines (m6i.large, 50 GB)',
      count: 3,
      usd: 3 * (prices.schedulerMachineHour * hoursPerMonth + disk),
    },
    { what: 'EKS control plane', count: 1, usd: prices.eksHour * hoursPerMonth },
    {
      what: 'EKS with two nodes for its own pods (t4g.medium, 50 GB)',
      count: 1,
      usd: prices.eksHour * hoursPerMonth + 2 * (prices.systemNodeHour * hoursPerMonth + disk),
    },
    { what: 'AWS Batch', count: 1, usd: 0 },
  ];
}

function sumOf(lines: readonly { readonly usd: number }[]): number {
  return lines.reduce((sum, { usd }) => sum + usd, 0);
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}
