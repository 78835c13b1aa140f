// What a person may choose at synth time, read from CDK context (`cdk deploy -c borealis:cluster=prod`). A wrong or
// misspelt key fails the synth with a message that names it, so a typo never ships.
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Node } from 'constructs';
import { type ApiEnv, defaultBacklogLimit } from '../shared/api/env.ts';
import { BorealisError } from '../shared/lib/errors.ts';
import { leastKeptMs } from '../shared/model/job.ts';
import { heartbeatMs } from '../shared/model/roster.ts';
import { taskTimeoutsSchema } from '../shared/model/task-timeouts.ts';
import { type AgentsSettings, agentsSettingRows, readAgentsSettings } from './agents-settings.ts';
import { largestFleet } from './stacks/roll-call-memory.ts';

export interface Settings {
  /** Names every resource, so that two clusters fit in one account. */
  readonly cluster: string;
  /** `iam`: every route needs a signed request (design D11). `none`: anybody who reaches the URL may call it. */
  readonly auth: 'iam' | 'none';
  /**
   * Who may speak for an agent (shared/domain/agent/identity.ts): `bound`, whoever registered its id first; `session`,
   * only a role session of that name, as EC2 instances have. `none` where requests are not signed.
   */
  readonly agentIdentity: ApiEnv['AGENT_IDENTITY'];
  /** Let the store count the capacity units of every call; costs a little and is for measuring. */
  readonly meter: boolean;
  /** An agent that was silent for so long is lost, seconds; more than two of the agents' heartbeats. */
  readonly agentLostAfterSecs: number;
  /** A lost agent without tasks is forgotten after this, seconds: its row and its queue go. */
  readonly agentForgetAfterSecs: number;
  /** Per cent of the fleet that may be lost within five minutes (shared/domain/agent/mass.ts); 100 is no guard. */
  readonly agentMassPercent: number;
  /** How long rows of ended tasks and jobs are kept, seconds. */
  readonly historySecs: number;
  /** Ended tasks that a job keeps even if it has many. */
  readonly historyMaxPerJob: number;
  /** Deadlines of task states that are not the default, as `ASSIGNED=120,STARTING=600`. */
  readonly taskTimeouts: string;
  /** Tables stay when their stack is deleted, and cannot be deleted before. False is for installations to throw away. */
  readonly keepData: boolean;
  /** ARN of the KMS key that encrypts the tables; absent: a key that AWS owns. */
  readonly kmsKeyArn?: string;
  /** Verdicts after which an execution of the update workflow hands over to the next, 1 to 1,500. */
  readonly updateTurns: number;
  /** Tasks of one pool that may wait; beyond that submissions are refused (functions/api/admission.ts). */
  readonly backlogLimit: number;
  /** Agents the roll call has memory, and so time, for. */
  readonly fleetSize: number;
  /** Requests a second that each route takes, and each of those routes that bring new work. */
  readonly rates: { readonly api: number; readonly submit: number };
  /** How long CloudWatch keeps what the functions log, days; one of those CloudWatch offers. */
  readonly logRetentionDays: number;
  readonly alarms: AlarmSettings;
  /** Tables made by scripts/restore-tables.ts to be used instead of the installation's own (docs/backup.md). */
  readonly restored?: { readonly suffix: string; readonly streamArn: string };
  /** Where to deploy to; absent: where the credentials' profile says. */
  readonly region?: string;
  /** The machines of agents, if there are to be any. */
  readonly agents?: AgentsSettings;
}

/** Who is told of alarms, and where they say help is. */
interface AlarmSettings {
  /** ARN of an SNS topic that exists; absent: a topic of the installation's own. */
  readonly topicArn?: string;
  /** Subscribed to the installation's own topic. */
  readonly email?: string;
  /** Address of docs/runbook.md as people reach it; alarms link to its entries. */
  readonly runbook: string;
}

/** One heartbeat may fail (it is not sent again) and the next may be under way for a while; nobody is lost for that. */
const leastSilenceSecs = (2 * heartbeatMs) / 1000 + 10;

const prefix = 'borealis:';
const known = [
  'cluster',
  'auth',
  'agentIdentity',
  'meter',
  'keepData',
  'kmsKeyArn',
  'agentLostAfterSecs',
  'agentForgetAfterSecs',
  'agentMassPercent',
  'historySecs',
  'historyMaxPerJob',
  'updateTurns',
  'taskTimeouts',
  'backlogLimit',
  'fleetSize',
  'apiRate',
  'submitRate',
  'logRetentionDays',
  'alarmTopic',
  'alarmEmail',
  'runbook',
  'restored',
  'restoredStream',
  'region',
  ...agentsSettingRows.map(({ name }) => name),
] as const;

/** Reads and checks the `borealis:` keys of the context; INVALID_CONFIG names what is wrong. */
export function readSettings(node: Node): Settings {
  const allowed = known.map((name) => prefix + name);
  const context: unknown = node.getAllContext();
  for (const key of Object.keys(context ?? {})) {
    if (key.startsWith(prefix) && !allowed.includes(key)) {
      throw invalid(key, `is not known; known are ${allowed.join(', ')}`);
    }
  }
  const cluster = text(node, 'cluster', 'borealis');
  if (!/^[a-z][a-z0-9-]{0,19}$/.test(cluster)) {
    throw invalid(
      `${prefix}cluster`,
      `is ${JSON.stringify(cluster)}; it must start with a letter and hold at most 20 of a-z, 0-9 and -`,
    );
  }
  // Queues of agents are known by their prefix: those of `a` would include all queues of `a-agent`.
  if (/-agent(-|$)/.test(cluster)) {
    throw invalid(
      `${prefix}cluster`,
      `is ${JSON.stringify(cluster)}; -agent in it is kept for the names of queues`,
    );
  }
  const region = text(node, 'region', '');
  if (!/^$|^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) {
    throw invalid(
      `${prefix}region`,
      `is ${JSON.stringify(region)}; it must be the name of a region, such as eu-west-1`,
    );
  }
  const agents = readAgentsSettings({
    text: (name, fallback) => text(node, name, fallback),
    invalid: (name, problem) => invalid(prefix + name, problem),
  });
  const auth = choice(node, 'auth', ['iam', 'none'], 'iam');
  const agentIdentity = choice(node, 'agentIdentity', ['bound', 'session'], 'bound');
  return {
    cluster,
    auth,
    agentIdentity: auth === 'none' ? 'none' : agentIdentity,
    meter: choice(node, 'meter', ['true', 'false'], 'false') === 'true',
    agentLostAfterSecs: seconds(node, 'agentLostAfterSecs', {
      fallback: 90,
      least: leastSilenceSecs,
      most: 3600,
    }),
    agentForgetAfterSecs: seconds(node, 'agentForgetAfterSecs', {
      fallback: 86_400,
      least: 600,
      most: 2_592_000,
    }),
    agentMassPercent: wholeNumber(node, 'agentMassPercent', { fallback: 25, most: 100 }),
    historySecs: seconds(node, 'historySecs', {
      fallback: 172_800,
      least: leastKeptMs / 1000,
      most: 2_592_000,
    }),
    historyMaxPerJob: wholeNumber(node, 'historyMaxPerJob', { fallback: 100, most: 10_000 }),
    taskTimeouts: timeouts(node),
    keepData: choice(node, 'keepData', ['true', 'false'], 'true') === 'true',
    updateTurns: updateTurns(node),
    backlogLimit: wholeNumber(node, 'backlogLimit', { fallback: defaultBacklogLimit, most: 1_000_000 }),
    fleetSize: wholeNumber(node, 'fleetSize', { fallback: 2_000, most: largestFleet }),
    rates: {
      api: wholeNumber(node, 'apiRate', { fallback: 2_000, most: 10_000 }),
      submit: wholeNumber(node, 'submitRate', { fallback: 500, most: 10_000 }),
    },
    logRetentionDays: logRetention(node),
    alarms: alarmSettings(node),
    ...tableKey(node),
    ...restoredTables(node),
    ...(region !== '' && { region }),
    ...(agents && { agents }),
  };
}

function logRetention(node: Node): number {
  const days: string = text(node, 'logRetentionDays', '30');
  const offered = Object.values(RetentionDays).filter((value) => typeof value === 'number' && value < 9999);
  if (offered.some((value) => String(value) === days)) return Number(days);
  throw invalid(
    `${prefix}logRetentionDays`,
    `is ${JSON.stringify(days)}; it must be one of ${offered.join(', ')}`,
  );
}

function tableKey(node: Node): Pick<Settings, 'kmsKeyArn'> {
  const kmsKeyArn = text(node, 'kmsKeyArn', '');
  if (kmsKeyArn === '') return {};
  if (/^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/.test(kmsKeyArn)) return { kmsKeyArn };
  throw invalid(
    `${prefix}kmsKeyArn`,
    `is ${JSON.stringify(kmsKeyArn)}; it must be the ARN of a KMS key (not of an alias)`,
  );
}

function restoredTables(node: Node): Pick<Settings, 'restored'> {
  const suffix = text(node, 'restored', '');
  const streamArn = text(node, 'restoredStream', '');
  if (suffix === '' && streamArn === '') return {};
  if (!/^[a-z0-9-]{1,40}$/.test(suffix)) {
    throw invalid(
      `${prefix}restored`,
      `is ${JSON.stringify(suffix)}; it must be the suffix of restored tables`,
    );
  }
  if (!/^arn:[\w-]+:dynamodb:.+:table\/.+\/stream\/.+$/.test(streamArn)) {
    throw invalid(
      `${prefix}restoredStream`,
      `is ${JSON.stringify(streamArn)}; it must be the ARN of their stream`,
    );
  }
  return { restored: { suffix, streamArn } };
}

function alarmSettings(node: Node): AlarmSettings {
  const topicArn = text(node, 'alarmTopic', '');
  const email = text(node, 'alarmEmail', '');
  if (topicArn !== '' && !/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/.test(topicArn)) {
    throw invalid(
      `${prefix}alarmTopic`,
      `is ${JSON.stringify(topicArn)}; it must be the ARN of an SNS topic`,
    );
  }
  if (email !== '' && !/^[^@\s]+@[^@\s]+$/.test(email)) {
    throw invalid(`${prefix}alarmEmail`, `is ${JSON.stringify(email)}; it must be a mail address`);
  }
  if (topicArn !== '' && email !== '') {
    throw invalid(
      `${prefix}alarmEmail`,
      `goes with the installation's own topic only; subscribe it to ${topicArn}`,
    );
  }
  return {
    ...(topicArn !== '' && { topicArn }),
    ...(email !== '' && { email }),
    runbook: text(node, 'runbook', 'docs/runbook.md'),
  };
}

/** 15 history events a turn, of 25,000 an execution may have; the rest is for repeated steps. */
function updateTurns(node: Node): number {
  const value = text(node, 'updateTurns', '1000');
  if (/^\d{1,4}$/.test(value) && Number(value) >= 1 && Number(value) <= 1500) return Number(value);
  throw invalid(
    `${prefix}updateTurns`,
    `is ${JSON.stringify(value)}; it must be a whole number from 1 to 1500`,
  );
}

function text(node: Node, name: string, fallback: string): string {
  const value: unknown = node.tryGetContext(prefix + name);
  if (value === undefined) return fallback;
  if (typeof value !== 'string')
    throw invalid(prefix + name, `is ${JSON.stringify(value)}; it must be a text`);
  return value;
}

function timeouts(node: Node): string {
  const value = text(node, 'taskTimeouts', '');
  const parsed = taskTimeoutsSchema.safeParse(value);
  if (parsed.success) return value;
  throw invalid(`${prefix}taskTimeouts`, `is wrong: ${parsed.error.issues[0]?.message}`);
}

function wholeNumber(
  node: Node,
  name: string,
  { fallback, most }: { readonly fallback: number; readonly most: number },
): number {
  const value = Number(text(node, name, String(fallback)));
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw invalid(prefix + name, `must be a whole number from 1 to ${most}`);
}

function seconds(
  node: Node,
  name: string,
  { fallback, least, most }: { readonly fallback: number; readonly least: number; readonly most: number },
): number {
  const value = Number(text(node, name, String(fallback)));
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(prefix + name, `must be a whole number of seconds from ${least} to ${most}`);
}

function choice<const T extends string>(node: Node, name: string, values: readonly T[], fallback: T): T {
  const value = text(node, name, fallback);
  const found = values.find((candidate) => candidate === value);
  if (found === undefined)
    throw invalid(prefix + name, `is ${JSON.stringify(value)}; it must be one of ${values.join(', ')}`);
  return found;
}

function invalid(key: string, problem: string): BorealisError {
  return new BorealisError(
    'INVALID_CONFIG',
    `context ${key} ${problem}. Nothing was synthesised; correct it on the command line (-c) or in cdk.json.`,
    { details: { key } },
  );
}
