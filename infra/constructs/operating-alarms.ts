// The alarms besides those on dead-letter queues: each is a state in which the cluster does not do what it promises.
// Thresholds are high enough that what heals by itself within the promised times does not wake anybody.
import { Duration } from 'aws-cdk-lib';
import type { Watched } from '../stacks/observability.ts';
import { awsMetric, ownMetric } from './metrics.ts';
import type { RunbookAlarmProps } from './runbook-alarm.ts';

type AlarmOf = Omit<RunbookAlarmProps, 'topic'>;

const minutes = (count: number): number => Duration.minutes(count).toMilliseconds();

/** All of them, by the entry of the runbook. */
export function operatingAlarms(watched: Watched): readonly AlarmOf[] {
  return [
    ...schedulingAlarms(watched),
    ...unreadableAlarms(watched),
    ...agentAlarms(watched),
    ...backlogAlarms(watched),
    ...apiAlarms(watched),
  ];
}

function schedulingAlarms({ cluster, functions }: Watched): AlarmOf[] {
  const sweeper = functions.get('sweeper') ?? '';
  const fanout = functions.get('fanout') ?? '';
  return [
    {
      entry: 'pending-age',
      meaning: 'A task has been waiting for an agent for more than 30 minutes.',
      metric: ownMetric(cluster, 'PendingAge', 'Maximum'),
      threshold: minutes(30),
      periods: 5,
    },
    {
      entry: 'assign-failures',
      meaning: 'The store refuses an assignment for good; the agent it was for gets no tasks.',
      metric: ownMetric(cluster, 'AssignFailures', 'Sum'),
      threshold: 1,
    },
    {
      entry: 'foreign-reports',
      meaning:
        'An agent reports on tasks that are not its own: two agents share an id, or somebody pretends.',
      metric: ownMetric(cluster, 'ForeignReports', 'Sum'),
      threshold: 1,
    },
    {
      entry: 'sweep-stopped',
      meaning:
        'The sweep, which runs every minute, has not run for 5 minutes: nothing that is stuck is ended.',
      metric: awsMetric({ of: 'function', metricName: 'Invocations' }, sweeper, 'Sum'),
      threshold: 1,
      below: true,
      periods: 5,
      needsData: true,
    },
    {
      entry: 'sweep-failures',
      meaning: 'The sweep fails again and again: some of what is stuck is not ended.',
      metric: awsMetric({ of: 'function', metricName: 'Errors' }, sweeper, 'Sum'),
      threshold: 1,
      periods: 5,
    },
    {
      entry: 'sweep-lag',
      meaning: 'Tasks are ended more than 5 minutes after their deadline.',
      metric: ownMetric(cluster, 'SweepLag', 'Maximum'),
      threshold: minutes(5),
      periods: 3,
    },
    {
      entry: 'timeouts-held',
      meaning: 'Tasks are overdue and are not ended, because what they reported may be on its way.',
      metric: ownMetric(cluster, 'TimeoutsHeld', 'Sum'),
      threshold: 1,
      periods: 5,
    },
    {
      entry: 'outbox-age',
      meaning: 'Changes wait more than a minute for their effects: launches, kills and wake-ups are late.',
      metric: awsMetric({ of: 'function', metricName: 'IteratorAge' }, fanout, 'Maximum'),
      threshold: minutes(1),
      periods: 5,
    },
  ];
}

/** Of rows that make no sense: each is left out, and what needs it with it. */
function unreadableAlarms({ cluster }: Watched): AlarmOf[] {
  return [
    {
      entry: 'unreadable-rows',
      meaning: 'A stored row cannot be read: the task or agent it is of is left alone.',
      metric: ownMetric(cluster, 'UnreadableRows', 'Sum'),
      threshold: 1,
    },
    {
      entry: 'effects-left-out',
      meaning: 'A change has not had all its effects: a stored row that they need cannot be read.',
      metric: ownMetric(cluster, 'EffectsLeftOut', 'Sum'),
      threshold: 1,
    },
    {
      entry: 'unreadable-in-pool',
      meaning: 'A waiting task or an agent cannot be read: it is left out of the matching of its pool.',
      metric: ownMetric(cluster, 'UnreadableInPool', 'Sum'),
      threshold: 1,
    },
  ];
}

function agentAlarms({ cluster, functions }: Watched): AlarmOf[] {
  return [
    {
      entry: 'roll-call-stopped',
      meaning:
        'The roll call, which runs every minute, has not run for 5 minutes: no agent is declared lost, and none that was lost is taken back.',
      metric: awsMetric(
        { of: 'function', metricName: 'Invocations' },
        functions.get('roll-call') ?? '',
        'Sum',
      ),
      threshold: 1,
      below: true,
      periods: 5,
      needsData: true,
    },
    {
      entry: 'roll-call-failures',
      meaning: 'The roll call fails again and again: nobody hears the agents, so none is declared lost.',
      metric: awsMetric({ of: 'function', metricName: 'Errors' }, functions.get('roll-call') ?? '', 'Sum'),
      threshold: 1,
      periods: 5,
    },
    {
      entry: 'roll-calls-incomplete',
      meaning:
        'Roll calls do not hear all that agents send: until they do, no agent is declared lost and no deadline is enforced.',
      metric: ownMetric(cluster, 'RollCallsIncomplete', 'Sum'),
      threshold: 1,
      periods: 5,
    },
    {
      entry: 'agents-held',
      meaning: 'Agents are silent and are not declared lost, because the fault may be on the way to them.',
      metric: ownMetric(cluster, 'AgentsHeld', 'Maximum'),
      threshold: 1,
      periods: 3,
    },
  ];
}

/** A queue whose oldest message is old has a consumer that is stuck, too slow or not allowed to run. */
function backlogAlarms({ cluster }: Watched): AlarmOf[] {
  const age = (queue: string) =>
    awsMetric(
      { of: 'queue', metricName: 'ApproximateAgeOfOldestMessage' },
      `borealis-${cluster}-${queue}`,
      'Maximum',
    );
  const limits = { threshold: 300, periods: 5 };
  return [
    {
      entry: 'matcher-backlog',
      meaning: 'A wake-up of the matcher has waited for 5 minutes: the tasks of a pool are not placed.',
      metric: age('matcher.fifo'),
      ...limits,
    },
    {
      entry: 'jobs-backlog',
      meaning:
        'Work on a job has waited for 5 minutes: its tasks are not made or ended, or its update stands still.',
      metric: age('jobs.fifo'),
      ...limits,
    },
    {
      entry: 'intake-backlog',
      meaning: 'Reports of agents have waited for 5 minutes: states are out of date, agents look silent.',
      metric: age('intake'),
      ...limits,
    },
  ];
}

function apiAlarms({ apiId, tables: [state = ''] }: Watched): AlarmOf[] {
  return [
    {
      entry: 'api-errors',
      meaning: 'The API fails requests by its own fault (5xx).',
      metric: awsMetric({ of: 'api', metricName: '5xx' }, apiId, 'Sum'),
      threshold: 5,
      periods: 3,
    },
    {
      entry: 'api-latency',
      meaning: 'One request in a hundred takes the API more than 5 seconds.',
      metric: awsMetric({ of: 'api', metricName: 'Latency' }, apiId, 'p99'),
      threshold: 5_000,
      periods: 5,
    },
    {
      entry: 'table-throttled',
      meaning: 'DynamoDB refuses writes to the state table for being too many.',
      metric: awsMetric({ of: 'table', metricName: 'WriteThrottleEvents' }, state, 'Sum'),
      threshold: 1,
      periods: 5,
    },
  ];
}
