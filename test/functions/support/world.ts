// The control plane without AWS: the real store on the embedded engine, the real cores of the functions, and queues
// that are lists. `run()` carries messages and stream records about until nothing moves any more.
import { DescribeTableCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Context, DynamoDBRecord, DynamoDBStreamEvent, SQSEvent, SQSRecord } from 'aws-lambda';
import type { OwnerMemory } from '../../../functions/agent-events/check-senders.ts';
import { processReports } from '../../../functions/agent-events/process-reports.ts';
import { createAdmission } from '../../../functions/api/admission.ts';
import { createApi } from '../../../functions/api/app.ts';
import { type DrainReport, drainPass } from '../../../functions/drainer/drain-pass.ts';
import { createJobEnds } from '../../../functions/fanout/job-ends.ts';
import { processBatch } from '../../../functions/fanout/process-batch.ts';
import { processJobMessages } from '../../../functions/job-worker/process-messages.ts';
import { createLateness, type Lateness } from '../../../functions/lateness.ts';
import { createConfigCache } from '../../../functions/launch.ts';
import { matchPool } from '../../../functions/matcher/match-pool.ts';
import { createReasonWriter } from '../../../functions/matcher/reason-writer.ts';
import { drainTimer } from '../../../functions/messages.ts';
import type { HttpEvent, HttpResult } from '../../../functions/middleware/http.ts';
import type { RemainingTime } from '../../../functions/ports.ts';
import { processGroups } from '../../../functions/queue-batch.ts';
import { reconcileJob } from '../../../functions/reconciler/reconcile-job.ts';
import { type SweeperDeps, sweep } from '../../../functions/sweeper/sweep.ts';
import { processTimers } from '../../../functions/timers/process-timers.ts';
import type { UpdaterDeps } from '../../../functions/updater/deps.ts';
import { createInstanceReader } from '../../../functions/updater/read-instances.ts';
import { wakeUpdate } from '../../../functions/updater/wake-update.ts';
import { defaultBacklogLimit, reportsArriveSecs } from '../../../shared/api/env.ts';
import type { IdentityMode } from '../../../shared/domain/agent/identity.ts';
import { defaultFlapping, type FlappingSettings } from '../../../shared/domain/task/flapping.ts';
import { defaultHistory } from '../../../shared/domain/task/history.ts';
import { defaultTimeouts, type StateTimeouts } from '../../../shared/domain/task/timeouts.ts';
import { canonicalJson } from '../../../shared/lib/hash.ts';
import { type Clock, type IdSource, type RandomSource, randomIds } from '../../../shared/lib/ports.ts';
import type { Offer } from '../../../shared/model/agent.ts';
import type { JobSubmission } from '../../../shared/model/job.ts';
import type { JobKey } from '../../../shared/model/job-key.ts';
import type { Task } from '../../../shared/model/task.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import { matcherWakeSchema, type SweepRound } from '../../../shared/model/wake.ts';
import { dueShards, type Key } from '../../../shared/store/keys.ts';
import type { Store } from '../../../shared/store/port.ts';
import { decodeStreamRecord } from '../../../shared/store/stream.ts';
import { embeddedEngine, type StoreUnderTest } from '../../contract/engines.ts';
import { makeConfig, t0, unique } from '../../contract/fixtures.ts';
import { FakeWorkflows } from './fake-workflows.ts';
import { FakeAgents, FakeEvents, FakeLog, FakeMeter, FakeQueues, sqsEvent } from './fakes.ts';

export const queues = {
  matcher: 'matcher.fifo',
  jobs: 'jobs.fifo',
  timers: 'timers',
  intake: 'intake',
};

export interface World {
  readonly store: Store;
  readonly messages: FakeQueues;
  readonly workflows: FakeWorkflows;
  readonly agents: FakeAgents;
  readonly events: FakeEvents;
  readonly log: FakeLog;
  readonly meter: FakeMeter;
  /** What every function gets beside its own ports; for tests that call one with ports of their choice. */
  readonly common: Common;
  /** The time all functions see. */
  now: number;
  /** What `run` does not move: its records or messages wait. */
  readonly late: Set<'stream' | 'intake'>;
  /** Verdicts after which an execution of an update hands over. */
  turnsPerExecution: number;
  /** Calls the API; the answer's body is parsed. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Feeds every stream record, and every message but timers, to its function until all is quiet. */
  run(): Promise<void>;
  /** Hands every stream record and message of the past to its function once more. */
  redeliver(): Promise<void>;
  /** Reports of agents, one batch. */
  report(bodies: readonly unknown[], sender?: string): Promise<readonly string[]>;
  /** When each look at an update is due, epoch ms. */
  alarms(): number[];
  match(pool: string): ReturnType<typeof matchPool>;
  reconcile(key: JobKey, over?: Partial<Store>, remainingMs?: RemainingTime): ReturnType<typeof reconcileJob>;
  /** `round`: of a sweep that is continued. */
  sweep(
    over?: Partial<Store>,
    remainingMs?: number | RemainingTime,
    more?: Partial<SweeperDeps>,
    round?: SweepRound,
  ): ReturnType<typeof sweep>;
  /** One pass over the agents that are being emptied, if one has been asked for; undefined if not. */
  drain(
    over?: Partial<Store>,
    remainingMs?: RemainingTime,
    agentsPerGroup?: number,
  ): Promise<DrainReport | undefined>;
  /** Fires every timer sent so far that has not been fired. */
  fireTimers(): Promise<void>;
  tasks(key: JobKey): Promise<readonly Task[]>;
  /** Replaces attributes of a row behind the store's back. */
  spoil(key: Key, attributes: Readonly<Record<string, unknown>>): Promise<void>;
  /** Every row of the state table, sorted, as text. */
  dump(): Promise<string[]>;
  stop(): Promise<void>;
}

interface Common {
  readonly timeouts: StateTimeouts;
  readonly flapping: FlappingSettings;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: RandomSource;
  readonly log: FakeLog;
  readonly meter: FakeMeter;
  readonly lateness: Lateness;
}

interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly userArn?: string;
  /** Unique id of the caller. */
  readonly userId?: string;
}
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field in tests
  readonly body: any;
}

interface WorldOptions {
  /** How the identity behind an agent is checked. */
  readonly identity?: IdentityMode;
  /** Waiting tasks of a pool beyond which no more work is taken. */
  readonly backlogLimit?: number;
}

const plenty = () => 600_000;

export async function createWorld({
  identity = 'none',
  backlogLimit = defaultBacklogLimit,
}: WorldOptions = {}): Promise<World> {
  const tables = await embeddedEngine();
  const store = tables.store();
  const agents = new FakeAgents();
  const events = new FakeEvents();
  const log = new FakeLog();
  const meter = new FakeMeter();
  const owners: OwnerMemory = new Map();
  const world = { now: t0, turnsPerExecution: 1000, late: new Set<'stream' | 'intake'>() };
  const clock = () => world.now;
  const messages = new FakeQueues(clock);
  const common: Common = {
    timeouts: defaultTimeouts,
    flapping: defaultFlapping,
    clock,
    ids: randomIds,
    random: () => 0.5,
    log,
    meter,
    lateness: createLateness({ store, clock, log }),
  };
  const configs = createConfigCache(store);
  const workflows = new FakeWorkflows(clock);
  // The looks at updates that are due, as a queue with delays would bring them.
  const alarms = new Map<string, { readonly key: JobKey; readonly updateId: string; readonly at: number }>();
  const updater: UpdaterDeps = {
    store,
    alarms: {
      async set(key, updateId, at) {
        alarms.set(`${updateId} ${at}`, { key, updateId, at });
      },
    },
    readInstances: createInstanceReader(store, clock),
    configs,
    workflows,
    turnsPerExecution: 1000,
    ...common,
  };
  const queueUrls = { jobsQueueUrl: queues.jobs, timersQueueUrl: queues.timers };
  const jobWork = {
    reconciler: { store, ...common },
    drainer: { store, ...common },
    updater,
    messages,
    ...queueUrls,
    log,
  };
  const api = createApi({
    store,
    configs,
    admission: createAdmission({ store, clock, log, limit: backlogLimit }),
    clock,
    ids: randomIds,
    log,
    cluster: 'local',
    identity,
    version: '0.0.0',
  });
  const jobEnds = createJobEnds(store);
  const fanout = {
    store,
    configs,
    jobEnds,
    messages,
    workflows,
    agents,
    events,
    cluster: 'local',
    queues,
    history: defaultHistory,
    ...common,
  };
  const matcher = { store, reasons: createReasonWriter(store, clock), ...common };
  const reconcile = (key: JobKey, over: Partial<Store> = {}, remainingMs: RemainingTime = plenty) =>
    reconcileJob(key, remainingMs, { store: { ...store, ...over }, ...common });
  const stream = await openStream(tables, clock);
  const documents = DynamoDBDocumentClient.from(tables.client);
  const past: { records: DynamoDBRecord[]; bodies: { queueUrl: string; body: string }[] } = {
    records: [],
    bodies: [],
  };

  const feedStream = async (records: DynamoDBRecord[]) => {
    const event: DynamoDBStreamEvent = { Records: records };
    return processBatch(event, { ...fanout, decode: decodeStreamRecord });
  };
  const deliver = async (queueUrl: string, bodies: readonly string[]) => {
    const event = sqsEvent(bodies);
    if (queueUrl === queues.matcher) {
      return processGroups(event, {
        schema: matcherWakeSchema,
        groupOf: ({ pool }) => pool,
        log,
        work: async ({ pool }) => void (await matchPool(pool, plenty, matcher)),
      });
    }
    if (queueUrl === queues.jobs) return processJobMessages(event, plenty, jobWork);
    return processTimers(event, { store, messages, agents, ...queueUrls, ...common });
  };
  const take = async (queueUrl: string): Promise<number> => {
    const bodies = messages.take(queueUrl).map(({ body }) => body);
    if (bodies.length === 0) return 0;
    past.bodies.push(...bodies.map((body) => ({ queueUrl, body })));
    const { batchItemFailures } = await deliver(queueUrl, bodies);
    if (batchItemFailures.length > 0) throw new Error(`${queueUrl}: ${JSON.stringify(log.lines.slice(-3))}`);
    return bodies.length;
  };

  const receive = (event: SQSEvent) => processReports(event, { store, agents, identity, owners, ...common });
  const takeReports = async (): Promise<number> => {
    const taken = messages.take(queues.intake);
    const { Records } = sqsEvent(taken.map(({ body }) => body));
    const sent = taken.map((message) => messages.sentAt.get(message));
    const event = { Records: Records.map((record, index) => sentThen(record, sent[index] ?? 0)) };
    if (taken.length > 0) await receive(event);
    return taken.length;
  };

  const look = async (): Promise<number> => {
    const due = [...alarms].filter(([, { at }]) => at <= world.now);
    for (const [name, { key, updateId }] of due) {
      alarms.delete(name);
      await wakeUpdate({ key, updateId, hints: [] }, updater);
    }
    return due.length;
  };

  return Object.assign(world, {
    store,
    messages,
    workflows,
    agents,
    events,
    log,
    meter,
    common,
    reconcile,
    sweep: (
      over: Partial<Store> = {},
      remainingMs: number | RemainingTime = 60_000,
      more: Partial<SweeperDeps> = {},
      round?: SweepRound,
    ) =>
      sweep(
        typeof remainingMs === 'number' ? () => remainingMs : remainingMs,
        {
          store: { ...store, ...over },
          shards: dueShards,
          reportsArriveMs: reportsArriveSecs * 1000,
          messages,
          agents,
          matcherQueueUrl: queues.matcher,
          ...queueUrls,
          workflows,
          // Most tests are not about the way of a probe: it is back at once.
          pause: () => store.notePassage({ probedAt: world.now }),
          ...common,
          ...more,
        },
        round,
      ),
    call: (method: string, path: string, options: CallOptions = {}) => callApi(api, method, path, options),
    async run() {
      for (;;) {
        await stream.read();
        const records = world.late.has('stream') ? [] : stream.take();
        past.records.push(...records);
        if (records.length > 0) {
          const { batchItemFailures } = await feedStream(records);
          if (batchItemFailures.length > 0) throw new Error(JSON.stringify(log.lines.slice(-3)));
        }
        const moved =
          (await take(queues.jobs)) +
          (await take(queues.matcher)) +
          (world.late.has('intake') ? 0 : await takeReports()) +
          (await look()) +
          (await workflows.move({ ...updater, turnsPerExecution: world.turnsPerExecution }));
        if (records.length === 0 && moved === 0) return;
      }
    },
    async redeliver() {
      const again = [...past.bodies];
      await feedStream([...past.records]);
      for (const { queueUrl, body } of again) await deliver(queueUrl, [body]);
    },
    async report(bodies: readonly unknown[], sender?: string) {
      const answer = await receive(sqsEvent(bodies, sender));
      return answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    },
    alarms: () => [...alarms.values()].map(({ at }) => at),
    match: (pool: string) => matchPool(pool, plenty, matcher),
    async drain(over: Partial<Store> = {}, remainingMs = plenty, agentsPerGroup = 64) {
      const timers = messages.take(queues.timers, isAboutDrains).map(({ body }) => body);
      if (timers.length === 0) return undefined;
      await deliver(queues.timers, timers);
      messages.take(queues.jobs, isAboutDrains);
      const report = await drainPass(remainingMs, {
        ...jobWork.drainer,
        store: { ...store, ...over },
        agentsPerGroup,
      });
      if (report.draining > report.drained) await messages.send(queues.timers, [drainTimer(world.now)]);
      return report;
    },
    async fireTimers() {
      await take(queues.timers);
    },
    async tasks(key: JobKey) {
      const job = await store.getJob(key);
      return store.listTasks(key, [0, Math.max(0, (job?.instanceSpan ?? 1) - 1)]);
    },
    async spoil(Key: Key, attributes: Readonly<Record<string, unknown>>) {
      const names = Object.keys(attributes);
      await documents.send(
        new UpdateCommand({
          TableName: tables.stateTable,
          Key,
          UpdateExpression: `SET ${names.map((name, index) => `#${index} = :${name}`).join(', ')}`,
          ExpressionAttributeNames: Object.fromEntries(names.map((name, index) => [`#${index}`, name])),
          ExpressionAttributeValues: Object.fromEntries(names.map((name) => [`:${name}`, attributes[name]])),
        }),
      );
    },
    dump: () => dump(tables),
    stop: async () => {
      stream.close();
      await tables.stop();
    },
  });
}

function sentThen(record: SQSRecord, at: number): SQSRecord {
  const attributes = { SentTimestamp: String(at), ApproximateReceiveCount: '1' };
  return { ...record, attributes: attributes as SQSRecord['attributes'] };
}

const isAboutDrains = ({ body }: { readonly body: string }): boolean =>
  'slot' in JSON.parse(body) || 'drain' in JSON.parse(body);

type Api = ReturnType<typeof createApi>;

async function callApi(api: Api, method: string, path: string, options: CallOptions): Promise<Answer> {
  const { body, headers = {}, query, userArn, userId } = options;
  const event = {
    version: '2.0',
    rawPath: path,
    headers,
    queryStringParameters: query,
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    isBase64Encoded: false,
    requestContext: {
      requestId: 'request-1',
      http: { method, path },
      ...((userArn ?? userId) !== undefined && { authorizer: { iam: { userArn, userId } } }),
    },
  } as unknown as HttpEvent;
  const context = { awsRequestId: 'aws-1', getRemainingTimeInMillis: plenty } as unknown as Context;
  const result = (await (api as unknown as (event: HttpEvent, context: Context) => Promise<HttpResult>)(
    event,
    context,
  )) as HttpResult;
  return {
    status: result.statusCode ?? 0,
    headers: result.headers ?? {},
    body: JSON.parse(result.body ?? 'null') as unknown,
  };
}

async function openStream(tables: StoreUnderTest, clock: Clock) {
  const { endpoint } = tables.client.config;
  const address = await endpoint?.();
  const client = new DynamoDBStreamsClient({
    endpoint: `${address?.protocol}//${address?.hostname}:${address?.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const { Table } = await tables.client.send(new DescribeTableCommand({ TableName: tables.stateTable }));
  const StreamArn = Table?.LatestStreamArn ?? '';
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }));
  const ShardId = StreamDescription?.Shards?.[0]?.ShardId ?? '';
  const opened = await client.send(
    new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
  );
  let iterator = opened.ShardIterator;
  const waiting: DynamoDBRecord[] = [];
  return {
    /** Notes what was written since, as written now: the engine has a clock of its own. */
    async read(): Promise<void> {
      const page = await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: 1000 }));
      iterator = page.NextShardIterator;
      for (const record of page.Records ?? []) {
        // Lambda hands over seconds where the SDK makes a date of them.
        const dynamodb = { ...record.dynamodb, ApproximateCreationDateTime: Math.floor(clock() / 1000) };
        waiting.push({ ...record, dynamodb } as unknown as DynamoDBRecord);
      }
    },
    take: () => waiting.splice(0),
    close: () => client.destroy(),
  };
}

async function dump({ client, stateTable }: StoreUnderTest): Promise<string[]> {
  const rows: string[] = [];
  let start: Record<string, never> | undefined;
  do {
    const page = await client.send(
      new ScanCommand({ TableName: stateTable, ConsistentRead: true, ExclusiveStartKey: start }),
    );
    rows.push(...(page.Items ?? []).map((item) => canonicalJson(item)));
    start = page.LastEvaluatedKey as Record<string, never> | undefined;
  } while (start);
  return rows.sort();
}

/** A valid submission of a job with one config. */
export function submission(over: Partial<JobSubmission> = {}, task: Partial<TaskConfig> = {}): JobSubmission {
  return {
    role: 'web',
    environment: 'prod',
    name: unique('job'),
    configs: [{ instances: [[0, 2]], task: makeConfig({ resources: smallResources, ...task }) }],
    ...over,
  };
}

export const smallResources: TaskConfig['resources'] = {
  cpuMilli: 1000,
  ramMb: 128,
  diskMb: 16,
  gpus: 0,
  gpuMilli: 0,
  gpuModels: [],
  ports: [],
};

export function pathOf({ role, environment, name }: JobKey): string {
  return `/jobs/${role}/${environment}/${name}`;
}

/** The registration of an agent with 4 cores. */
export function registration(agentId: string, over: Partial<Offer> = {}) {
  const offer: Offer = {
    agentId,
    host: `${agentId}.example.org`,
    pool: 'default',
    capacity: { cpuMilli: 4000, ramMb: 8192, diskMb: 10_000, gpus: [], portRange: [31_000, 32_000] },
    attributes: { host: [`${agentId}.example.org`] },
    version: '0.0.0',
    ...over,
  };
  return { v: 1, agentId, sessionId: 's1', sentAt: t0, kind: 'register', offer };
}

export function statusReport(
  agentId: string,
  statuses: readonly (readonly [taskId: string, state: string, message?: string])[],
) {
  return {
    v: 1,
    agentId,
    sessionId: 's1',
    sentAt: t0,
    kind: 'status',
    statuses: statuses.map(([taskId, state, message]) => ({
      taskId,
      state,
      at: t0,
      ...(message !== undefined && { message }),
    })),
  };
}
