// Every number the functions emit, in the words of design.md section 6: which function emits it, its unit, and what it
// says. The functions may emit no other; the dashboard, the alarms and docs/operating.md read this table.

/** CloudWatch namespace; dimensions are `cluster` and `service` (the function). */
export const metricNamespace = 'Borealis';

interface MetricDefinition {
  readonly unit: 'Count' | 'Milliseconds';
  /** The function that emits it, the value of the dimension `service`. */
  readonly service: string;
  readonly meaning: string;
}

export const metricTable = {
  PendingAge: {
    unit: 'Milliseconds',
    service: 'matcher',
    meaning: 'Age of the oldest task that waited in the pool when the matcher looked.',
  },
  MatchLatency: {
    unit: 'Milliseconds',
    service: 'matcher',
    meaning: 'From PENDING to ASSIGNED, of each task placed (of many at once, an even sample).',
  },
  MatchDuration: {
    unit: 'Milliseconds',
    service: 'matcher',
    meaning: 'How long one run of the matcher over a pool took.',
  },
  Placements: { unit: 'Count', service: 'matcher', meaning: 'Tasks that went from PENDING to ASSIGNED.' },
  TasksWaiting: {
    unit: 'Count',
    service: 'matcher',
    meaning: 'Tasks left waiting after a run of the matcher over a pool.',
  },
  AssignConflicts: {
    unit: 'Count',
    service: 'matcher',
    meaning: 'Assignments refused because the ledger or a task had moved on; they are planned again.',
  },
  AssignFailures: {
    unit: 'Count',
    service: 'matcher',
    meaning: 'Assignments the store refused for good; their agent is left out of that run.',
  },
  SweepLag: {
    unit: 'Milliseconds',
    service: 'sweeper',
    meaning: 'How long the most overdue task had been overdue when the sweep came to it.',
  },
  TimedOutTasks: {
    unit: 'Count',
    service: 'sweeper',
    meaning: 'Tasks ended as LOST because a transient state lasted too long.',
  },
  TimeoutsHeld: {
    unit: 'Count',
    service: 'sweeper',
    meaning: 'Overdue tasks that were left alone because changes or reports were held up lately.',
  },
  SweepsContinued: {
    unit: 'Count',
    service: 'sweeper',
    meaning: 'Sweeps that went on in another invocation, because their time was up.',
  },
  LedgersHealed: {
    unit: 'Count',
    service: 'sweeper',
    meaning: 'Ledgers that said more than the tasks of their agent hold and were set right.',
  },
  UnreadableRows: {
    unit: 'Count',
    service: 'sweeper',
    meaning: 'Stored rows that cannot be read and were left out of a sweep or of its audit of ledgers.',
  },
  EffectsLeftOut: {
    unit: 'Count',
    service: 'fanout',
    meaning: 'Effects of changes that were not carried out because a stored row they need cannot be read.',
  },
  UnreadableInPool: {
    unit: 'Count',
    service: 'matcher',
    meaning:
      'Rows of waiting tasks and agents that cannot be read and were left out when a pool was matched.',
  },
  AgentsDraining: {
    unit: 'Count',
    service: 'job-worker',
    meaning: 'Agents that were being emptied when a pass of the drainer began.',
  },
  TasksDrained: {
    unit: 'Count',
    service: 'job-worker',
    meaning: 'Tasks whose end was asked for because their agent is being emptied.',
  },
  DrainsForced: {
    unit: 'Count',
    service: 'job-worker',
    meaning: 'Of these, the ones ended at the deadline without regard to the availability of their job.',
  },
  UpdatesRestarted: {
    unit: 'Count',
    service: 'sweeper',
    meaning: 'Rolling updates that had lost their execution and got another.',
  },
  UpdateKills: {
    unit: 'Count',
    service: 'job-worker',
    meaning: 'Tasks that updates took down.',
  },
  UpdateConflicts: {
    unit: 'Count',
    service: 'job-worker',
    meaning: 'Steps of updates that were worked out again because update, job or task had moved on.',
  },
  CommandsAccepted: {
    unit: 'Count',
    service: 'commands',
    meaning: 'Commands of other services that were carried out.',
  },
  CommandsRejected: {
    unit: 'Count',
    service: 'commands',
    meaning: 'Commands that were refused; they lie in the dead-letter queue with the reason.',
  },
  ForeignReports: {
    unit: 'Count',
    service: 'agent-events',
    meaning: 'Reports of an agent on a task that is not its own; dropped.',
  },
  IllegalTransitions: {
    unit: 'Count',
    service: 'agent-events',
    meaning: 'Reports that ask for a transition the task machine does not know; the task stays as it is.',
  },
  MalformedReports: {
    unit: 'Count',
    service: 'agent-events',
    meaning: 'Messages on the intake queue that cannot be read; they end in the dead-letter queue.',
  },
  DuplicateAgents: {
    unit: 'Count',
    service: 'agent-events',
    meaning:
      'Registrations of a process that another one of the same agent id had followed: two machines share an id.',
  },
  AgentsLost: {
    unit: 'Count',
    service: 'roll-call',
    meaning: 'Agents declared lost: silent for too long.',
  },
  AgentsReturned: {
    unit: 'Count',
    service: 'roll-call',
    meaning: 'Lost agents that were heard again and take tasks again.',
  },
  AgentsForgotten: {
    unit: 'Count',
    service: 'roll-call',
    meaning:
      'Agents that were lost for so long that they are gone for good; their rows and queues are removed.',
  },
  AgentsHeld: {
    unit: 'Count',
    service: 'roll-call',
    meaning: 'Silent agents that are not declared lost, because silence is no evidence now.',
  },
  RollCallsIncomplete: {
    unit: 'Count',
    service: 'roll-call',
    meaning:
      'Roll calls that began late or did not hear everything that had been sent: for three minutes no silence counts.',
  },
  MalformedHeartbeats: {
    unit: 'Count',
    service: 'roll-call',
    meaning: 'Messages on the queue of heartbeats that cannot be read; they are dropped.',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof metricTable;
type Named<U extends MetricDefinition['unit']> = {
  [N in MetricName]: (typeof metricTable)[N]['unit'] extends U ? N : never;
}[MetricName];
export type CountMetric = Named<'Count'>;
export type MillisMetric = Named<'Milliseconds'>;
