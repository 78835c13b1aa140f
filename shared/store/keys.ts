// Where each thing lives: partition and sort keys of both tables and the index keys. Stored data depends on every
// constant here; changing one needs a migration.
//
//   state  ROLES                    <role>                          directory of roles
//          ROLE#<role>              JOB#<env>/<name>                job
//          CONFIG#<job path>        <configId>                      immutable task config
//          TASKS#<job path>#<b>     I#<instance>#<generation>       task; b = instance / 250
//          AGENTS#<shard>           A#<agentId>, L#<agentId>        agent, its ledger
//          TOKEN#<token>            TOKEN                           client token of a create
//          UPDATE#<job path>        U#<updateId>                    update: its status and progress
//                                   U#<updateId>#P                  update: what it was asked to do; never changes
//          UPDATED#<job path>#<id>  E#<version>#<part>              update: what happened to its instances
//          UPDATES#<role>           <updateId>                      directory of a role's updates
//          PROBE#<lane>             PROBE                           probe of the way that changes and reports take
//   due index: tasks with a deadline under <shard>, jobs whose newest spec is not carried out under J#<shard>, updates
//              whose execution is to be looked at under U#<shard>, agents that are being emptied under D#
//   notes  ROSTER                   ROSTER                          when each agent was last heard
//          REASONS#<job path>       <configId>                      why its tasks wait
//          PASSAGE                  PASSAGE                         what is known of the way that changes and reports take
//          SWEEP                    LEASE                           who goes on with a sweep that ran out of time
//          AUDIT#<agentId>          AUDIT                           what is suspected of its ledger
//          POOLS                    <pool>                          pools that ever had a task
//          CALLBACK#<updateId>      CALLBACK                        what an update's execution waits with
import { shardOf } from '../lib/hash.ts';
import { type JobKey, jobPath, parseJobPath, parseTaskId, type TaskRef } from '../model/job-key.ts';

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** Instances per partition: a 10,000-instance job is spread over 40, far from one partition's 1,000 writes/s. */
const instancesPerBucket = 250;
export const agentShards = 16;
export const pendingShards = 8;
export const dueShards = 8;

const instanceDigits = 6;
const generationDigits = 8;
const timeDigits = 14;
const priorityDigits = 5;
const highestPriority = 99_999;

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

export const rolesPartition = 'ROLES';
export const poolsPartition = 'POOLS';

export function rolePartition(role: string): string {
  return `ROLE#${role}`;
}

/** Sort key prefix of a role's jobs, narrowed to an environment if one is given. */
export function jobPrefix(environment?: string): string {
  return environment === undefined ? 'JOB#' : `JOB#${environment}/`;
}

export function jobKeyOf(key: JobKey): Key {
  return { pk: rolePartition(key.role), sk: `${jobPrefix(key.environment)}${key.name}` };
}

export function configKeyOf(key: JobKey, configId: string): Key {
  return { pk: `CONFIG#${jobPath(key)}`, sk: configId };
}

export function tokenKeyOf(token: string): Key {
  return { pk: `TOKEN#${token}`, sk: 'TOKEN' };
}

export function bucketOf(instance: number): number {
  return Math.floor(instance / instancesPerBucket);
}

export const taskPrefix = 'TASKS#';

export function taskPartition(key: JobKey, bucket: number): string {
  return `${taskPrefix}${jobPath(key)}#${bucket}`;
}

/** First and last possible sort key of an instance range. */
export function instanceBounds(lo: number, hi: number): readonly [string, string] {
  return [`I#${pad(lo, instanceDigits)}#`, `I#${pad(hi, instanceDigits)}#~`];
}

export function taskKeyOf(ref: Omit<TaskRef, 'suffix'>): Key {
  return {
    pk: taskPartition(ref, bucketOf(ref.instance)),
    sk: `I#${pad(ref.instance, instanceDigits)}#${pad(ref.generation, generationDigits)}`,
  };
}

/** The row of a task id, or undefined if the text is not a task id. */
export function taskKeyOfId(taskId: string): (Key & { readonly suffix: string }) | undefined {
  const ref = parseTaskId(taskId);
  return ref && { ...taskKeyOf(ref), suffix: ref.suffix };
}

/** The inverse of taskKeyOf; undefined if the key is not a task's. */
export function parseTaskKey(pk: string, sk: string): Omit<TaskRef, 'suffix'> | undefined {
  const end = pk.lastIndexOf('#');
  const key = parseJobPath(pk.slice(taskPrefix.length, end));
  const instance = Number.parseInt(sk.slice(2, 2 + instanceDigits), 10);
  const generation = Number.parseInt(sk.slice(3 + instanceDigits), 10);
  if (!pk.startsWith(taskPrefix) || !key || Number.isNaN(instance) || Number.isNaN(generation))
    return undefined;
  return { ...key, instance, generation };
}

export function agentPartition(shard: number): string {
  return `AGENTS#${shard}`;
}

export const agentPrefix = 'A#';
export const ledgerPrefix = 'L#';

export function agentKeyOf(agentId: string): Key {
  return { pk: agentPartition(shardOf(agentId, agentShards)), sk: `${agentPrefix}${agentId}` };
}

export function ledgerKeyOf(agentId: string): Key {
  return { pk: agentPartition(shardOf(agentId, agentShards)), sk: `${ledgerPrefix}${agentId}` };
}

/** The one roster of the cluster, in the notes table. */
export const rosterKey: Key = { pk: 'ROSTER', sk: 'ROSTER' };

export const probePrefix = 'PROBE#';
const probeLanes = 16;
const probeLaneMs = 60_000;

/** Another partition each minute, so that probes take all lanes of the stream in turn. */
export function probeKeyOf(at: number): Key {
  return { pk: `${probePrefix}${Math.floor(at / probeLaneMs) % probeLanes}`, sk: 'PROBE' };
}

/** The one of the cluster, in the notes table. */
export const passageKey: Key = { pk: 'PASSAGE', sk: 'PASSAGE' };

/** Who goes on with a sweep that ran out of time, in the notes table. */
export const sweepLeaseKey: Key = { pk: 'SWEEP', sk: 'LEASE' };

/** What the audit found wrong with ledgers, in the notes table: few at any time. */
export const suspicionsPartition = 'AUDIT';

export function suspicionKeyOf(agentId: string): Key {
  return { pk: suspicionsPartition, sk: agentId };
}

export function reasonsPartition(key: JobKey): string {
  return `REASONS#${jobPath(key)}`;
}

/** Partition of the pending index. */
export function pendingPartition(pool: string, shard: number): string {
  return `${pool}#${shard}`;
}

/** Keys of the pending index: higher priority first, then older, then by job and instance so that the order is total. */
export function pendingKeysOf(task: {
  readonly taskId: string;
  readonly pool: string;
  readonly priority: number;
  readonly createdAt: number;
  readonly role: string;
  readonly environment: string;
  readonly name: string;
  readonly instance: number;
}): { readonly gp: string; readonly gs: string } {
  const rank = pad(highestPriority - task.priority, priorityDigits);
  const created = pad(task.createdAt, timeDigits);
  return {
    gp: pendingPartition(task.pool, shardOf(task.taskId, pendingShards)),
    gs: `${rank}#${created}#${jobPath(task)}#${pad(task.instance, instanceDigits)}`,
  };
}

/** Priority and creation time back from a sort key of the pending index. */
export function parsePendingSortKey(gs: string): { readonly priority: number; readonly createdAt: number } {
  return {
    priority: highestPriority - Number.parseInt(gs.slice(0, priorityDigits), 10),
    createdAt: Number.parseInt(gs.slice(priorityDigits + 1, priorityDigits + 1 + timeDigits), 10),
  };
}

/** Keys of the due index. */
export function dueKeysOf(taskId: string, at: number): { readonly gd: string; readonly gt: string } {
  return { gd: String(shardOf(taskId, dueShards)), gt: `${pad(at, timeDigits)}#${taskId}` };
}

/** How long an accepted spec may wait for its reconcile hint before the sweeper sends another, milliseconds. */
const unreconciledGraceMs = 60_000;

/** Partition of the due index that holds the jobs of one shard whose newest spec is not carried out. */
export function unreconciledPartition(shard: number): string {
  return `J#${shard}`;
}

/** Keys of the due index for a job that is not reconciled. */
export function unreconciledDue(
  job: JobKey,
  acceptedAt: number,
): { readonly gd: string; readonly gt: string } {
  const path = jobPath(job);
  return {
    gd: unreconciledPartition(shardOf(path, dueShards)),
    gt: `${pad(acceptedAt + unreconciledGraceMs, timeDigits)}#${path}`,
  };
}

/** Partition of the due index with the agents that are being emptied: few at any time. */
export const drainingPartition = 'D#';

/** Keys of an agent in the due index while it drains: earliest deadline first. */
export function drainingDue(
  agentId: string,
  deadlineAt: number,
): { readonly gd: string; readonly gt: string } {
  return { gd: drainingPartition, gt: `${pad(deadlineAt, timeDigits)}#${agentId}` };
}

/** Every entry of the due index up to and including this moment sorts before it. */
export function dueBound(now: number): string {
  return pad(now + 1, timeDigits);
}

export const updatePrefix = 'UPDATE#';
const versionDigits = 10;

/** The updates of one job; ids of updates sort by the time they began, so they are in that order. */
export function updatePartition(key: JobKey): string {
  return `${updatePrefix}${jobPath(key)}`;
}

/** The row that changes. */
export function updateKeyOf(key: JobKey, updateId: string): Key {
  return { pk: updatePartition(key), sk: `U#${updateId}` };
}

/** The row that says what was asked for. It sorts right behind the one that changes. */
export function updatePlanKeyOf(key: JobKey, updateId: string): Key {
  return { pk: updatePartition(key), sk: `U#${updateId}#P` };
}

/** Sort keys of both rows of one update lie between these. */
export function updateBounds(updateId: string): readonly [string, string] {
  return [`U#${updateId}`, `U#${updateId}#~`];
}

export function instanceEventsPartition(key: JobKey, updateId: string): string {
  return `UPDATED#${jobPath(key)}#${updateId}`;
}

/** In the order of writing: version of the record, then part of that write. */
export function instanceEventsSortKey(version: number, part: number): string {
  return `E#${pad(version, versionDigits)}#${pad(part, 4)}`;
}

export function updateDirectory(role: string): string {
  return `UPDATES#${role}`;
}

export function callbackKeyOf(updateId: string): Key {
  return { pk: `CALLBACK#${updateId}`, sk: 'CALLBACK' };
}

/** Partition of the due index that holds the rolling updates of one shard. */
export function updatesDuePartition(shard: number): string {
  return `U#${shard}`;
}

/** Keys of the due index for an update: look at its execution then. */
export function updateDueKeysOf(
  key: JobKey,
  updateId: string,
  at: number,
): { readonly gd: string; readonly gt: string } {
  return {
    gd: updatesDuePartition(shardOf(updateId, dueShards)),
    gt: `${pad(at, timeDigits)}#${jobPath(key)}#${updateId}`,
  };
}

/** The update of a sort key of the due index and when it is due (epoch ms); undefined if it is not one of an update. */
export function parseUpdateDue(
  gt: string,
): { readonly key: JobKey; readonly updateId: string; readonly dueAt: number } | undefined {
  const [at, path = '', updateId] = gt.split('#');
  const key = parseJobPath(path);
  return key && updateId !== undefined ? { key, updateId, dueAt: Number(at) } : undefined;
}
