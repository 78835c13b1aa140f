// The two tables as data: the CDK app, the tests and the benches all create them from here, so they can't differ.
// `state` is the truth and has the stream; `notes` holds what may be lost and must not wake the stream consumer
// (heartbeats, pending reasons, the list of pools).

export interface IndexDefinition {
  readonly name: string;
  readonly partitionKey: string;
  readonly sortKey: string;
  /** Attributes copied next to the keys; none = KEYS_ONLY. */
  readonly include: readonly string[];
}

export interface TableDefinition {
  /** All keys are strings. */
  readonly partitionKey: string;
  readonly sortKey: string;
  readonly indexes: readonly IndexDefinition[];
  /** Epoch seconds; DynamoDB deletes the item some time after it. */
  readonly ttlAttribute: string;
  /** Old and new images of every change, or no stream. */
  readonly stream: 'NEW_AND_OLD_IMAGES' | undefined;
}

export const ttlAttribute = 'expiresAt';

/** Waiting tasks of a pool, by priority then age; only PENDING rows are in it. */
export const pendingIndex = {
  name: 'pending',
  partitionKey: 'gp',
  sortKey: 'gs',
  include: ['x', 'c', 'r', 'co'],
} as const satisfies IndexDefinition;

/** Tasks with a deadline, by the time at which to look at them; only rows in a transient state are in it. */
export const dueIndex = {
  name: 'due',
  partitionKey: 'gd',
  sortKey: 'gt',
  include: [],
} as const satisfies IndexDefinition;

/** Tasks an agent has; only ASSIGNED .. KILLING rows are in it. */
export const onAgentIndex = {
  name: 'onagent',
  partitionKey: 'ag',
  sortKey: 'sk',
  include: [],
} as const satisfies IndexDefinition;

export const stateTable = {
  partitionKey: 'pk',
  sortKey: 'sk',
  indexes: [pendingIndex, dueIndex, onAgentIndex],
  ttlAttribute,
  stream: 'NEW_AND_OLD_IMAGES',
} as const satisfies TableDefinition;

export const notesTable = {
  partitionKey: 'pk',
  sortKey: 'sk',
  indexes: [],
  ttlAttribute,
  stream: undefined,
} as const satisfies TableDefinition;
