// The dashboard, in the order in which one looks: do tasks get placed, is anything late, is anything given up, does the
// API answer. At most 50 metrics: with that, three dashboards of an account cost nothing.
import { Dashboard, GraphWidget, type IMetric, PeriodOverride, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { heartbeatQueueName } from '../../shared/model/names.ts';
import type { Watched } from '../stacks/observability.ts';
import { awsMetric, ownMetric } from './metrics.ts';

/** The dashboard `borealis-CLUSTER`. */
export function operatingDashboard(scope: Construct, watched: Watched): Dashboard {
  const { cluster } = watched;
  const dashboard = new Dashboard(scope, 'Overview', {
    dashboardName: `borealis-${cluster}`,
    periodOverride: PeriodOverride.INHERIT,
  });
  const title = `Borealis, cluster **${cluster}**. Alarms link to their entries in docs/runbook.md; \`borealis doctor\` checks the whole installation.`;
  dashboard.addWidgets(new TextWidget({ markdown: title, width: 24, height: 1 }));
  dashboard.addWidgets(...schedulingWidgets(cluster));
  dashboard.addWidgets(...latenessWidgets(watched));
  dashboard.addWidgets(...movingWidgets(cluster));
  dashboard.addWidgets(...failureWidgets(watched));
  dashboard.addWidgets(...apiWidgets(watched));
  return dashboard;
}

function graph(title: string, left: IMetric[], width = 8, unit = ''): GraphWidget {
  return new GraphWidget({
    title,
    left,
    width,
    height: 6,
    leftYAxis: { min: 0, label: unit, showUnits: false },
  });
}

function schedulingWidgets(cluster: string): GraphWidget[] {
  return [
    graph('Pending age', [ownMetric(cluster, 'PendingAge', 'Maximum')], 8, 'ms'),
    graph(
      'Match latency: PENDING to ASSIGNED',
      ['p50', 'p99'].map((statistic) => ownMetric(cluster, 'MatchLatency', statistic, statistic)),
      8,
      'ms',
    ),
    graph('Placements', [
      ownMetric(cluster, 'Placements', 'Sum'),
      ownMetric(cluster, 'TasksWaiting', 'Maximum'),
      ownMetric(cluster, 'AssignConflicts', 'Sum'),
    ]),
  ];
}

function latenessWidgets({ cluster, functions, queues }: Watched): GraphWidget[] {
  const age = { of: 'function', metricName: 'IteratorAge' } as const;
  const oldest = { of: 'queue', metricName: 'ApproximateAgeOfOldestMessage' } as const;
  return [
    graph(
      'Outbox age: changes that wait for their effects',
      [awsMetric(age, functions.get('fanout') ?? '', 'Maximum')],
      8,
      'ms',
    ),
    graph(
      'Sweep lag and what it ended',
      [
        ownMetric(cluster, 'SweepLag', 'Maximum'),
        ownMetric(cluster, 'TimedOutTasks', 'Sum'),
        ownMetric(cluster, 'TimeoutsHeld', 'Sum'),
        ownMetric(cluster, 'RollCallsIncomplete', 'Sum'),
      ],
      8,
      'ms',
    ),
    graph(
      'Oldest message by queue',
      [...queues.map(({ queue }) => queue), heartbeatQueueName(cluster)].map((queue) =>
        awsMetric(oldest, queue, 'Maximum', short(queue, cluster)),
      ),
      8,
      's',
    ),
  ];
}

/** What is taken down on purpose. */
function movingWidgets(cluster: string): GraphWidget[] {
  return [
    graph(
      'Agents being emptied',
      [
        ownMetric(cluster, 'AgentsDraining', 'Maximum'),
        ownMetric(cluster, 'TasksDrained', 'Sum'),
        ownMetric(cluster, 'DrainsForced', 'Sum'),
      ],
      12,
    ),
    graph(
      'Rolling updates',
      [ownMetric(cluster, 'UpdateKills', 'Sum'), ownMetric(cluster, 'UpdatesRestarted', 'Sum')],
      12,
    ),
  ];
}

function failureWidgets({ cluster, functions, queues }: Watched): GraphWidget[] {
  const errors = { of: 'function', metricName: 'Errors' } as const;
  const depth = { of: 'queue', metricName: 'ApproximateNumberOfMessagesVisible' } as const;
  const deadLetterQueues = [
    ...queues.map(({ deadLetters }) => deadLetters),
    `borealis-${cluster}-stream-dlq`,
  ];
  return [
    graph(
      'Dead letters',
      deadLetterQueues.map((name) => awsMetric(depth, name, 'Maximum', short(name, cluster))),
    ),
    graph(
      'Errors by function',
      [...functions].map(([folder, name]) => awsMetric(errors, name, 'Sum', folder)),
    ),
    graph('Reports refused', [
      ownMetric(cluster, 'ForeignReports', 'Sum'),
      ownMetric(cluster, 'IllegalTransitions', 'Sum'),
      ownMetric(cluster, 'MalformedReports', 'Sum'),
    ]),
  ];
}

function apiWidgets({ apiId, tables }: Watched): GraphWidget[] {
  const latency = { of: 'api', metricName: 'Latency' } as const;
  const count = (metricName: 'Count' | '4xx' | '5xx') =>
    awsMetric({ of: 'api', metricName }, apiId, 'Sum', metricName);
  return [
    graph(
      'API latency',
      ['p50', 'p99'].map((statistic) => awsMetric(latency, apiId, statistic, statistic)),
      8,
      'ms',
    ),
    graph('API requests', [count('Count'), count('4xx'), count('5xx')]),
    graph(
      'Throttled by DynamoDB',
      tables.flatMap((table) => [
        awsMetric({ of: 'table', metricName: 'WriteThrottleEvents' }, table, 'Sum'),
        awsMetric({ of: 'table', metricName: 'ReadThrottleEvents' }, table, 'Sum'),
      ]),
    ),
  ];
}

function short(queue: string, cluster: string): string {
  return queue.replace(`borealis-${cluster}-`, '');
}
