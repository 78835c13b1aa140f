// The store port on DynamoDB. Each write is a file in tx/, each kind of read a file in read/; here they are put together.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import type { Clock } from '../lib/ports.ts';
import type { TaskConfig } from '../model/task-config.ts';
import {
  type Connection,
  type ConnectionOptions,
  connect,
  createClient,
  type DocumentSender,
  send,
} from './connection.ts';
import { callbackKeyOf, poolsPartition, probeKeyOf, rolesPartition, suspicionKeyOf } from './keys.ts';
import type { CapacityMeter, Store, TransitionOutcome, TransitionWrite } from './port.ts';
import {
  getAgent,
  listAgentShard,
  listAgents,
  listDraining,
  listRegistered,
  loadPool,
} from './read/agents.ts';
import { countBacklog } from './read/backlog.ts';
import { getConfigs, getJob, listJobs, listUnreconciled, tokenUse } from './read/jobs.ts';
import { getPassage, getReasons, getRoster, getSweepLease, listSuspicions } from './read/notes.ts';
import { countPending, listPending, pendingPools } from './read/pending.ts';
import { getTask, getTasks, listDue, listOnAgent, listTasks } from './read/tasks.ts';
import {
  getCallback,
  getUpdate,
  listDueUpdates,
  listInstanceEvents,
  listJobUpdates,
  listUpdates,
} from './read/updates.ts';
import { ttlAttribute } from './tables.ts';
import { assignTasks } from './tx/assign-tasks.ts';
import { bindAgent } from './tx/bind-agent.ts';
import { createJob } from './tx/create-job.ts';
import { createUpdate } from './tx/create-update.ts';
import { deferDue } from './tx/defer-due.ts';
import { deferUpdate } from './tx/defer-update.ts';
import { dropCallback } from './tx/drop-callback.ts';
import { dropConfigs } from './tx/drop-configs.ts';
import { dropHistory } from './tx/drop-history.ts';
import { dropSuspicion } from './tx/drop-suspicion.ts';
import { expireJob } from './tx/expire-job.ts';
import { forgetAgent } from './tx/forget-agent.ts';
import { healLedger } from './tx/heal-ledger.ts';
import { insertTasks } from './tx/insert-tasks.ts';
import { notePassage } from './tx/note-passage.ts';
import { putReasons } from './tx/put-reasons.ts';
import { putRoster } from './tx/put-roster.ts';
import { putRow } from './tx/put-row.ts';
import { putSweepLease } from './tx/put-sweep-lease.ts';
import { registerAgent } from './tx/register-agent.ts';
import { releaseResources } from './tx/release-resources.ts';
import { replaceTask } from './tx/replace-task.ts';
import { setAgentLost, setAgentMode } from './tx/set-agent.ts';
import { takeToken } from './tx/take-token.ts';
import { transitionTask } from './tx/transition-task.ts';
import { transitionTasks } from './tx/transition-tasks.ts';
import { updateJob } from './tx/update-job.ts';
import { writeUpdate } from './tx/write-update.ts';

export interface DynamoStoreOptions extends ConnectionOptions {
  readonly stateTable: string;
  readonly notesTable: string;
  /** Absent = one made from `endpoint` and `region`. A document sender is used as it is. */
  readonly client?: DynamoDBClient | DocumentSender;
  /** Counts units when given; asking for them makes each answer a little longer. */
  readonly meter?: CapacityMeter;
  readonly clock?: Clock;
  /** How long rows of ended tasks are kept, ms; 2 days if absent. */
  readonly historyMs?: number;
}

const defaultHistoryMs = 2 * 24 * 3600_000;
/** Longer than an audit takes to come round to the same agent of a large fleet. */
const suspicionLifeMs = 14 * 24 * 3600_000;
/** An execution waits for one batch; it cannot live longer than a year. */
const callbackLifeMs = 366 * 24 * 3600_000;

export function createDynamoStore(options: DynamoStoreOptions): Store {
  const { stateTable, notesTable, meter } = options;
  const client = options.client ?? createClient(options);
  const connection = connect({ client, stateTable, notesTable, meter });
  const { clock = Date.now, historyMs = defaultHistoryMs } = options;
  const configs = new Map<string, TaskConfig>();
  const roles = directory(connection, connection.state, rolesPartition);
  const pools = directory(connection, connection.notes, poolsPartition);
  const transition = (write: TransitionWrite): Promise<TransitionOutcome> =>
    commit(connection, write, historyMs);
  return {
    async createJob(input) {
      await roles([input.job.role]);
      return createJob(connection, input, clock());
    },
    getJob: (key) => getJob(connection, key),
    listJobs: (filter, page) => listJobs(connection, filter, page),
    updateJob: (next, expected, token) =>
      updateJob(connection, { next, expected, now: clock(), ...(token && { token }) }),
    takeToken: (token) => takeToken(connection, token, clock()),
    tokenUse: (value) => tokenUse(connection, value, clock()),
    getConfigs: (key, configIds) => getConfigs(connection, configs, key, configIds),

    getTask: (taskId) => getTask(connection, taskId),
    getTasks: (taskIds, aside) => getTasks(connection, taskIds, aside),
    listTasks: (key, interval, aside) => listTasks(connection, key, interval, aside),
    async insertTasks(tasks) {
      await pools(tasks.map(({ pool }) => pool));
      return insertTasks(connection, { tasks, historyMs });
    },
    transition,
    transitionAll: (writes) => transitionTasks(connection, { writes, historyMs, one: transition }),

    async createUpdate(input) {
      await roles([input.update.role]);
      return createUpdate(connection, input);
    },
    getUpdate: (key, updateId) => getUpdate(connection, key, updateId),
    listJobUpdates: (key, page) => listJobUpdates(connection, key, page),
    listUpdates: (filter, page) => listUpdates(connection, filter, page),
    writeUpdate: (input) => writeUpdate(connection, input),
    listInstanceEvents: (key, updateId, page) => listInstanceEvents(connection, key, updateId, page),
    putCallback: ({ updateId, sequence, status, turnsBegun, taskToken }, now) =>
      putRow(connection, connection.notes, 'putCallback', {
        ...callbackKeyOf(updateId),
        q: sequence,
        s: status,
        n: turnsBegun,
        tk: taskToken,
        [ttlAttribute]: Math.floor((now + callbackLifeMs) / 1000),
      }),
    getCallback: (updateId) => getCallback(connection, updateId),
    dropCallback: (callback) => dropCallback(connection, callback),

    listPending: (pool, limit, aside) => listPending(connection, pool, limit, aside),
    countPending: (pool) => countPending(connection, pool),
    countBacklog: (pool, enough) => countBacklog(connection, pool, enough),
    assign: (inputs) => assignTasks(connection, inputs),
    release: (agentId, releases) => releaseResources(connection, agentId, releases),
    putReasons: (reasons) => putReasons(connection, reasons),
    getReasons: (key) => getReasons(connection, key, clock()),

    registerAgent: (offer, sessionId, sentAt, principal) =>
      registerAgent(connection, { offer, sessionId, sentAt, principal }),
    bindAgent: (agentId, principal) => bindAgent(connection, agentId, principal),
    getAgent: (agentId) => getAgent(connection, agentId),
    listRegistered: (page, aside) => listRegistered(connection, page, aside),
    listAgents: (filter, page, aside) => listAgents(connection, filter, page, aside),
    loadPool: (pool, aside) => loadPool(connection, pool, aside),
    listOnAgent: (agentId, aside) => listOnAgent(connection, agentId, aside),
    setAgentMode: (read, next) => setAgentMode(connection, read, next),
    listDraining: (aside) => listDraining(connection, aside),
    setAgentLost: (read, lostAt) => setAgentLost(connection, read, lostAt),
    forgetAgent: (read) => forgetAgent(connection, read),
    getRoster: (options) => getRoster(connection, options?.isConsistent === true),
    putRoster: (roster, madeFrom) => putRoster(connection, roster, madeFrom),

    listDue: (shard, now, page, aside) => listDue(connection, { shard, now, ...page }, aside),
    deferDue: (task) => deferDue(connection, task),
    listUnreconciled: (shard, now, limit) => listUnreconciled(connection, { shard, now, limit }),
    listDueUpdates: (shard, now, limit) => listDueUpdates(connection, { shard, now, limit }),
    deferUpdate: (stored, at) => deferUpdate(connection, stored, at),
    ...upkeep(connection),
  };
}

type Upkeep = Pick<
  Store,
  | 'getSweepLease'
  | 'putSweepLease'
  | 'listAgentShard'
  | 'healLedger'
  | 'listSuspicions'
  | 'dropSuspicion'
  | 'putSuspicion'
  | 'putProbe'
  | 'getPassage'
  | 'notePassage'
  | 'expireJob'
  | 'dropConfigs'
  | 'dropHistory'
  | 'pendingPools'
  | 'ping'
>;

/** What keeps the tables in order: the sweeper's notes, audits of ledgers, what goes. */
function upkeep(connection: Connection): Upkeep {
  return {
    getSweepLease: () => getSweepLease(connection),
    putSweepLease: (next, madeFrom) => putSweepLease(connection, next, madeFrom),
    listAgentShard: (shard) => listAgentShard(connection, shard),
    healLedger: (read, ledger) => healLedger(connection, read, ledger),
    listSuspicions: () => listSuspicions(connection),
    dropSuspicion: (agentId) => dropSuspicion(connection, agentId),
    putSuspicion: (agentId, { live, since }) =>
      putRow(connection, connection.notes, 'putSuspicion', {
        ...suspicionKeyOf(agentId),
        l: live,
        at: since,
        [ttlAttribute]: Math.floor((since + suspicionLifeMs) / 1000),
      }),
    putProbe: (at) => putRow(connection, connection.state, 'putProbe', { ...probeKeyOf(at), at }),
    getPassage: () => getPassage(connection),
    notePassage: (news) => notePassage(connection, news),
    expireJob: (job, at) => expireJob(connection, job, at),
    dropConfigs: (key) => dropConfigs(connection, key),
    dropHistory: (tasks) => dropHistory(connection, tasks),
    pendingPools: () => pendingPools(connection),
    ping: () => ping(connection),
  };
}

function commit(
  connection: Connection,
  { task, next, successor }: TransitionWrite,
  historyMs: number,
): Promise<TransitionOutcome> {
  return next !== undefined && successor !== undefined
    ? replaceTask(connection, { task, next, successor, historyMs })
    : transitionTask(connection, { task, next, historyMs });
}

/** Notes names in a directory partition, each once per process: they are never taken out. */
function directory(
  connection: Connection,
  table: string,
  partition: string,
): (names: readonly string[]) => Promise<void> {
  const noted = new Set<string>();
  return async (names) => {
    for (const name of new Set(names)) {
      if (noted.has(name)) continue;
      await putRow(connection, table, 'directory', { pk: partition, sk: name });
      noted.add(name);
    }
  };
}

async function ping(connection: Connection): Promise<void> {
  const Key = { pk: rolesPartition, sk: ' ' };
  await send(connection, 'ping', 'read', new GetCommand({ TableName: connection.state, Key }));
}
