// What each store method may do to the tables, and which methods each function uses: the functions' roles are made from
// this (infra/constructs/grant-store.ts), so a function can do in AWS what its code calls and nothing else.
//
// A new store method: add what it sends to `storeRights`; test/contract/rights.test.ts records it and says what is missing
// or too much. A new call in a function: add the method to `storeUse`; the compiler asks for it.
import type { Store } from './port.ts';

/** A table, or an index of the state table. */
type Place = 'state' | 'notes' | 'pending' | 'due' | 'onagent';
/** IAM actions without `dynamodb:`. Batches of statements (PartiQL) have actions of their own. */
type Action =
  | 'GetItem'
  | 'BatchGetItem'
  | 'Query'
  | 'PutItem'
  | 'UpdateItem'
  | 'DeleteItem'
  | 'ConditionCheckItem'
  | 'BatchWriteItem'
  | 'PartiQLInsert'
  | 'PartiQLUpdate';
export type StoreRight = `${Place} ${Action}`;

export const storeRights = {
  createJob: ['state GetItem', 'state PutItem'],
  getJob: ['state GetItem'],
  expireJob: ['state UpdateItem'],
  dropConfigs: ['state Query', 'state ConditionCheckItem', 'state DeleteItem'],
  dropHistory: ['state DeleteItem'],
  listJobs: ['state Query'],
  updateJob: ['state PutItem'],
  takeToken: ['state PutItem'],
  tokenUse: ['state GetItem'],
  getConfigs: ['state BatchGetItem'],

  getTask: ['state GetItem'],
  getTasks: ['state BatchGetItem'],
  listTasks: ['state Query'],
  insertTasks: ['state PartiQLInsert', 'notes PutItem'],
  transition: ['state PutItem', 'state UpdateItem', 'state DeleteItem'],
  transitionAll: [
    'state BatchGetItem',
    'state PartiQLUpdate',
    'state PutItem',
    'state UpdateItem',
    'state DeleteItem',
  ],

  createUpdate: ['state PutItem'],
  getUpdate: ['state Query'],
  listJobUpdates: ['state Query'],
  listUpdates: ['state Query', 'state BatchGetItem'],
  writeUpdate: ['state PutItem', 'state UpdateItem'],
  listInstanceEvents: ['state Query'],
  putCallback: ['notes PutItem'],
  getCallback: ['notes GetItem'],
  dropCallback: ['notes DeleteItem'],

  listPending: ['pending Query'],
  countPending: ['pending Query'],
  countBacklog: ['pending Query', 'due Query'],
  assign: ['state UpdateItem'],
  release: ['state UpdateItem', 'state PutItem'],
  putReasons: ['notes BatchWriteItem'],
  getReasons: ['notes Query'],

  registerAgent: ['state BatchGetItem', 'state PutItem'],
  bindAgent: ['state BatchGetItem', 'state PutItem'],
  getAgent: ['state BatchGetItem'],
  listAgents: ['state Query', 'state BatchGetItem'],
  listRegistered: ['state Query'],
  loadPool: ['state Query'],
  listOnAgent: ['onagent Query', 'state BatchGetItem'],
  setAgentMode: ['state PutItem', 'state UpdateItem'],
  listDraining: ['due Query', 'state BatchGetItem'],
  setAgentLost: ['state PutItem', 'state UpdateItem'],
  forgetAgent: ['state DeleteItem'],
  getRoster: ['notes GetItem'],
  putRoster: ['notes PutItem'],
  putProbe: ['state PutItem'],
  getPassage: ['notes GetItem'],
  notePassage: ['notes UpdateItem'],

  listDue: ['due Query', 'state BatchGetItem'],
  deferDue: ['state UpdateItem'],
  listUnreconciled: ['due Query'],
  listDueUpdates: ['due Query'],
  deferUpdate: ['state UpdateItem'],
  getSweepLease: ['notes GetItem'],
  putSweepLease: ['notes PutItem', 'notes DeleteItem'],
  listAgentShard: ['state Query'],
  healLedger: ['state PutItem'],
  listSuspicions: ['notes Query'],
  dropSuspicion: ['notes DeleteItem'],
  putSuspicion: ['notes PutItem'],
  pendingPools: ['notes Query', 'pending Query'],
  ping: ['state GetItem'],
} as const satisfies Readonly<Record<keyof Store, readonly StoreRight[]>>;

/** Store methods by the function (folder under functions/) that calls them. */
export const storeUse = {
  'agent-events': ['getAgent', 'getTasks', 'notePassage', 'registerAgent', 'setAgentMode', 'transitionAll'],
  'agent-lifecycle': ['getAgent', 'setAgentMode'],
  api: [
    'bindAgent',
    'countBacklog',
    'createJob',
    'createUpdate',
    'forgetAgent',
    'getAgent',
    'getConfigs',
    'getJob',
    'getReasons',
    'getRoster',
    'getTask',
    'getUpdate',
    'listAgents',
    'listInstanceEvents',
    'listJobs',
    'listJobUpdates',
    'listOnAgent',
    'listTasks',
    'listUpdates',
    'loadPool',
    'ping',
    'setAgentMode',
    'takeToken',
    'tokenUse',
    'updateJob',
    'writeUpdate',
  ],
  commands: [
    'countBacklog',
    'createJob',
    'createUpdate',
    'getConfigs',
    'getJob',
    'getUpdate',
    'listJobUpdates',
    'listTasks',
    'takeToken',
    'tokenUse',
    'updateJob',
    'writeUpdate',
  ],
  fanout: [
    'dropConfigs',
    'dropHistory',
    'expireJob',
    'getAgent',
    'getConfigs',
    'getJob',
    'getTasks',
    'listTasks',
    'notePassage',
    'release',
    'transition',
  ],
  'job-worker': [
    'dropCallback',
    'getCallback',
    'getConfigs',
    'getJob',
    'getUpdate',
    'insertTasks',
    'listDraining',
    'listOnAgent',
    'listTasks',
    'putCallback',
    'setAgentMode',
    'transitionAll',
    'updateJob',
    'writeUpdate',
  ],
  matcher: [
    'assign',
    'countPending',
    'getAgent',
    'getJob',
    'getRoster',
    'listPending',
    'listTasks',
    'loadPool',
    'putReasons',
  ],
  'roll-call': [
    'forgetAgent',
    'getAgent',
    'getConfigs',
    'getRoster',
    'listOnAgent',
    'listRegistered',
    'putRoster',
    'setAgentLost',
    'transitionAll',
  ],
  sweeper: [
    'deferDue',
    'deferUpdate',
    'dropSuspicion',
    'getAgent',
    'getPassage',
    'getRoster',
    'getSweepLease',
    'getUpdate',
    'healLedger',
    'listAgentShard',
    'listDraining',
    'listDue',
    'listDueUpdates',
    'listOnAgent',
    'listSuspicions',
    'listUnreconciled',
    'pendingPools',
    'putProbe',
    'putSuspicion',
    'putSweepLease',
    'transitionAll',
    'writeUpdate',
  ],
  timers: ['getAgent', 'getTask', 'transition'],
} as const satisfies Readonly<Record<string, readonly (keyof Store)[]>>;

/** A function that uses the store. */
export type StoreUser = keyof typeof storeUse;
/** The part of the store that a function uses. */
export type StoreOf<U extends StoreUser> = Pick<Store, (typeof storeUse)[U][number]>;
