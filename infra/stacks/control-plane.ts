// Everything that holds no state and may be replaced at any time: the functions, the HTTP API in front of one of them,
// and what feeds the others (stream, queues, a schedule).
import { ArnFormat, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import {
  type AgentEventsEnv,
  type ApiEnv,
  type CommandsEnv,
  type FanoutEnv,
  type JobWorkerEnv,
  type MatcherEnv,
  type RollCallEnv,
  reportsArriveSecs,
  type StoreEnv,
  type SweeperEnv,
  type TimersEnv,
} from '../../shared/api/env.ts';
import { agentQueueName, updateWorkflowName } from '../../shared/model/names.ts';
import { grantWide } from '../constructs/acknowledge.ts';
import { grantStore } from '../constructs/grant-store.ts';
import { HttpRoutes } from '../constructs/http-routes.ts';
import { MinuteSchedule } from '../constructs/minute-schedule.ts';
import { QueueWorker } from '../constructs/queue-worker.ts';
import { ServiceFunction } from '../constructs/service-function.ts';
import { StreamConsumer } from '../constructs/stream-consumer.ts';
import type { Settings } from '../settings.ts';
import { UpdateWorkflow } from '../workflows/update-workflow.ts';
import { rollCallMemoryMb } from './roll-call-memory.ts';
import type { StateStack } from './state.ts';
import { commandTries, workTimeout } from './timeouts.ts';

export interface ControlPlaneStackProps extends StackProps {
  readonly settings: Settings;
  readonly state: StateStack;
}

const agentQueuesBecause =
  "The agents' queues are made while the cluster runs, so only the prefix of their names is known.";

/** What it takes to leave a queue to its agent. */
const guarding = ['sqs:GetQueueAttributes', 'sqs:SetQueueAttributes'];

/** The functions of the control plane and all that calls them. */
export class ControlPlaneStack extends Stack {
  readonly apiId: string;

  constructor(scope: Construct, id: string, props: ControlPlaneStackProps) {
    super(scope, id, props);
    const { settings, state } = props;
    const base: StoreEnv = {
      BOREALIS_CLUSTER: settings.cluster,
      STATE_TABLE: state.tables.state.tableName,
      NOTES_TABLE: state.tables.notes.tableName,
      METER_CAPACITY: settings.meter ? 'true' : 'false',
      TASK_TIMEOUTS: settings.taskTimeouts,
      AGENT_LOST_AFTER_SECS: settings.agentLostAfterSecs,
      HISTORY_SECS: settings.historySecs,
    };
    this.apiId = this.api(props, base).api.apiId;
    this.fanout(props, base);
    this.wakeWorkers(props, base);
    this.agentEvents(props, base);
    this.jobs(props, base);
    this.commands(props, base);
    this.sweeper(props, base);
    this.rollCall(props, base);
  }

  private api({ settings, state }: ControlPlaneStackProps, base: StoreEnv): HttpRoutes {
    const api = new ServiceFunction<ApiEnv>(this, 'Api', {
      name: 'api',
      cluster: settings.cluster,
      description: 'Answers the HTTP API: jobs, tasks, agents.',
      // API Gateway waits 30 s.
      timeout: Duration.seconds(29),
      memoryMb: 1024,
      environment: {
        ...base,
        AGENT_IDENTITY: settings.agentIdentity,
        BACKLOG_LIMIT: settings.backlogLimit,
      },
    });
    grantStore(api, state.tables, 'api');
    return new HttpRoutes(this, 'Http', {
      name: `borealis-${settings.cluster}`,
      handler: api,
      auth: settings.auth,
      rates: settings.rates,
    });
  }

  private fanout({ settings, state }: ControlPlaneStackProps, base: StoreEnv): void {
    const fanout = new ServiceFunction<FanoutEnv>(this, 'Fanout', {
      name: 'fanout',
      cluster: settings.cluster,
      description:
        "Turns each change of the state table into its effects: wake-ups, agents' commands, events.",
      timeout: workTimeout.fanout,
      environment: {
        ...base,
        AGENT_IDENTITY: settings.agentIdentity,
        MATCHER_QUEUE_URL: state.queues.matcher.queueUrl,
        JOBS_QUEUE_URL: state.queues.jobs.queueUrl,
        TIMERS_QUEUE_URL: state.queues.timers.queueUrl,
        INTAKE_QUEUE_URL: state.queues.agentReports.queueUrl,
        UPDATE_WORKFLOW_ARN: this.updateWorkflowArn(settings.cluster),
        EVENT_BUS_NAME: state.bus.eventBusName,
        HISTORY_MAX_PER_JOB: settings.historyMaxPerJob,
      },
    });
    grantStore(fanout, state.tables, 'fanout');
    const { matcher, jobs, timers, agentReports } = state.queues;
    for (const queue of [matcher, jobs, timers, agentReports]) queue.grantSendMessages(fanout.function);
    this.grantWorkflow(fanout, settings.cluster, 'states:StartExecution');
    state.bus.grantPutEventsTo(fanout.function);
    this.grantAgentQueues(fanout, settings.cluster, [...guarding, 'sqs:DeleteQueue']);
    new StreamConsumer(this, 'Outbox', {
      table: state.tables.state,
      consumer: fanout,
      deadLetters: state.streamDeadLetters,
    });
  }

  /** The functions that wake-ups and timers drive. */
  private wakeWorkers({ settings, state }: ControlPlaneStackProps, base: StoreEnv): void {
    const { cluster } = settings;
    const matcher = new ServiceFunction<MatcherEnv>(this, 'Matcher', {
      name: 'matcher',
      cluster,
      description: 'Places the waiting tasks of one pool.',
      timeout: workTimeout.matcher,
      // One full vCPU comes with 1,769 MB.
      memoryMb: 1769,
      environment: { ...base, MATCHER_QUEUE_URL: state.queues.matcher.queueUrl },
      // A round goes on only while tasks wait that it had no time for.
      continuesItself: true,
    });
    grantStore(matcher, state.tables, 'matcher');
    state.queues.matcher.grantSendMessages(matcher.function);
    new QueueWorker(this, 'MatcherWork', { queue: state.queues.matcher, worker: matcher });

    const timers = new ServiceFunction<TimersEnv>(this, 'Timers', {
      name: 'timers',
      cluster,
      description:
        'Acts on tasks whose penalty or kill retry is due, on drains and updates whose next look is.',
      timeout: workTimeout.timers,
      environment: {
        ...base,
        AGENT_IDENTITY: settings.agentIdentity,
        TIMERS_QUEUE_URL: state.queues.timers.queueUrl,
        JOBS_QUEUE_URL: state.queues.jobs.queueUrl,
      },
      // A kill is repeated for as long as its task is being killed, with growing pauses.
      continuesItself: true,
    });
    grantStore(timers, state.tables, 'timers');
    state.queues.timers.grantSendMessages(timers.function);
    state.queues.jobs.grantSendMessages(timers.function);
    this.grantAgentQueues(timers, cluster, guarding);
    new QueueWorker(this, 'TimersWork', { queue: state.queues.timers, worker: timers });
  }

  private agentEvents({ settings, state }: ControlPlaneStackProps, base: StoreEnv): void {
    const agentEvents = new ServiceFunction<AgentEventsEnv>(this, 'AgentEvents', {
      name: 'agent-events',
      cluster: settings.cluster,
      description: 'Takes in what agents report: registrations, task status.',
      timeout: workTimeout.agentEvents,
      environment: { ...base, AGENT_IDENTITY: settings.agentIdentity },
    });
    grantStore(agentEvents, state.tables, 'agent-events');
    this.grantAgentQueues(agentEvents, settings.cluster);
    new QueueWorker(this, 'AgentEventsWork', { queue: state.queues.agentReports, worker: agentEvents });
  }

  private jobs({ settings, state }: ControlPlaneStackProps, base: StoreEnv): void {
    const { cluster } = settings;
    const { jobs, timers } = state.queues;
    const jobWorker = new ServiceFunction<JobWorkerEnv>(this, 'JobWorker', {
      name: 'job-worker',
      cluster,
      description:
        'Makes the tasks of jobs match what is wanted, makes the steps of updates, empties agents.',
      timeout: workTimeout.jobs,
      memoryMb: 1024,
      environment: {
        ...base,
        JOBS_QUEUE_URL: jobs.queueUrl,
        TIMERS_QUEUE_URL: timers.queueUrl,
        UPDATE_WORKFLOW_ARN: this.updateWorkflowArn(cluster),
        UPDATE_TURNS_PER_EXECUTION: String(settings.updateTurns),
      },
      // A round goes on only while instances are left that it had no time for, and a pass follows a pass, each after a
      // pause, only while there are agents to be emptied.
      continuesItself: true,
    });
    grantStore(jobWorker, state.tables, 'job-worker');
    for (const queue of [jobs, timers]) queue.grantSendMessages(jobWorker.function);
    this.grantWorkflow(jobWorker, cluster, 'states:SendTaskSuccess');
    new QueueWorker(this, 'JobWork', { queue: jobs, worker: jobWorker });
    new UpdateWorkflow(this, 'UpdateWorkflow', {
      name: updateWorkflowName(cluster),
      worker: jobWorker,
      timeout: workTimeout.jobs,
    });
  }

  /** By name, for its functions must know it and it must know one of them. */
  private updateWorkflowArn(cluster: string): string {
    return this.formatArn({
      service: 'states',
      resource: 'stateMachine',
      resourceName: updateWorkflowName(cluster),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }

  /** The right to start the update workflow, look at its executions or answer them. */
  private grantWorkflow(
    worker: ServiceFunction,
    cluster: string,
    action: 'states:StartExecution' | 'states:DescribeExecution' | 'states:SendTaskSuccess',
  ): void {
    const executions = this.formatArn({
      service: 'states',
      resource: 'execution',
      resourceName: `${updateWorkflowName(cluster)}:*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    if (action === 'states:DescribeExecution') {
      const because = 'Executions are made while the cluster runs; only the name of their workflow is known.';
      grantWide(worker, { actions: [action], resources: [executions], because });
      return;
    }
    const resources = [this.updateWorkflowArn(cluster)];
    worker.function.addToRolePolicy(new PolicyStatement({ actions: [action], resources }));
  }

  private commands({ settings, state }: ControlPlaneStackProps, base: StoreEnv): void {
    const commands = new ServiceFunction<CommandsEnv>(this, 'Commands', {
      name: 'commands',
      cluster: settings.cluster,
      description: 'Carries out what other services ask for by events and messages.',
      timeout: workTimeout.commands,
      environment: {
        ...base,
        EVENT_BUS_NAME: state.bus.eventBusName,
        COMMAND_DEAD_LETTERS_URL: state.commands.deadLetters.queueUrl,
        COMMAND_TRIES: commandTries,
        BACKLOG_LIMIT: settings.backlogLimit,
      },
    });
    grantStore(commands, state.tables, 'commands');
    state.bus.grantPutEventsTo(commands.function);
    state.commands.deadLetters.grantSendMessages(commands.function);
    new QueueWorker(this, 'CommandsWork', {
      queue: state.commands.queue,
      worker: commands,
      // Other services must not take the store away from the API.
      maxConcurrency: 10,
    });
  }

  private sweeper({ settings, state }: ControlPlaneStackProps, base: StoreEnv): void {
    const name = `borealis-${settings.cluster}-sweeper`;
    const sweeper = new ServiceFunction<SweeperEnv>(this, 'Sweeper', {
      name: 'sweeper',
      cluster: settings.cluster,
      description: 'Ends what is overdue and wakes what may have been forgotten.',
      timeout: Duration.seconds(55),
      environment: {
        ...base,
        MATCHER_QUEUE_URL: state.queues.matcher.queueUrl,
        JOBS_QUEUE_URL: state.queues.jobs.queueUrl,
        TIMERS_QUEUE_URL: state.queues.timers.queueUrl,
        UPDATE_WORKFLOW_ARN: this.updateWorkflowArn(settings.cluster),
        SWEEPER_FUNCTION: name,
        REPORTS_ARRIVE_SECS: String(reportsArriveSecs),
      },
      // A round follows a round only while tasks are overdue that it had no time for, and not more than twenty.
      continuesItself: true,
    });
    this.grantOwnCall(sweeper, name);
    grantStore(sweeper, state.tables, 'sweeper');
    this.grantWorkflow(sweeper, settings.cluster, 'states:DescribeExecution');
    const { matcher, jobs, timers } = state.queues;
    for (const queue of [matcher, jobs, timers]) queue.grantSendMessages(sweeper.function);
    this.grantAgentQueues(sweeper, settings.cluster);
    new MinuteSchedule(this, 'Sweep', {
      name: `borealis-${settings.cluster}-sweep`,
      description: 'Stuck tasks, forgotten wake-ups.',
      worker: sweeper,
    });
  }

  /** By name, for a function's role cannot wait for the function. */
  private grantOwnCall(worker: ServiceFunction, name: string): void {
    const own = { service: 'lambda', resource: 'function', resourceName: name };
    const resources = [this.formatArn({ ...own, arnFormat: ArnFormat.COLON_RESOURCE_NAME })];
    worker.function.addToRolePolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources }));
  }

  private rollCall({ settings, state }: ControlPlaneStackProps, base: StoreEnv): void {
    const rollCall = new ServiceFunction<RollCallEnv>(this, 'RollCall', {
      name: 'roll-call',
      cluster: settings.cluster,
      description:
        'Hears the heartbeats of all agents: who is silent is lost, who returns is back, who is gone is forgotten.',
      timeout: workTimeout.rollCall,
      memoryMb: rollCallMemoryMb(settings.fleetSize),
      environment: {
        ...base,
        AGENT_IDENTITY: settings.agentIdentity,
        HEARTBEAT_QUEUE_URL: state.heartbeats.queueUrl,
        AGENT_FORGET_AFTER_SECS: settings.agentForgetAfterSecs,
        AGENT_MASS_PERCENT: String(settings.agentMassPercent),
      },
    });
    grantWide(rollCall, {
      actions: ['sqs:DeleteQueue'],
      resources: [this.agentQueues(settings.cluster)],
      because: agentQueuesBecause,
    });
    grantWide(rollCall, {
      actions: ['sqs:ListQueues'],
      resources: ['*'],
      because: 'SQS knows no resource for this action; what is listed is narrowed by the prefix in the call.',
    });
    grantStore(rollCall, state.tables, 'roll-call');
    state.heartbeats.grantSendMessages(rollCall.function);
    state.heartbeats.grantConsumeMessages(rollCall.function);
    new MinuteSchedule(this, 'CallRoll', {
      name: `borealis-${settings.cluster}-roll-call`,
      description: 'Lost agents.',
      worker: rollCall,
    });
  }

  /** Rights on the command queues of this cluster's agents, which are made while the cluster runs. */
  private grantAgentQueues(worker: ServiceFunction, cluster: string, more: readonly string[] = []): void {
    grantWide(worker, {
      actions: ['sqs:CreateQueue', 'sqs:GetQueueUrl', 'sqs:SendMessage', ...more],
      resources: [this.agentQueues(cluster)],
      because: agentQueuesBecause,
    });
  }

  private agentQueues(cluster: string): string {
    return this.formatArn({ service: 'sqs', resource: agentQueueName(cluster, '*') });
  }
}
