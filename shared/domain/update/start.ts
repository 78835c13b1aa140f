// The record of a new update (spec/updates.md sections 1 to 4): what it replaces, removes and creates, and the settings
// it goes by. Stored on condition that the job has no other active update.
import { BorealisError } from '../../lib/errors.ts';
import {
  countInstances,
  formatInstances,
  overlappingInstances,
  toInstanceRanges,
} from '../../model/instance-ranges.ts';
import { maxInstances } from '../../model/job.ts';
import { type InstanceRange, type JobKey, jobPath } from '../../model/job-key.ts';
import {
  type ConfiguredInstances,
  isTerminalUpdate,
  type UpdateKind,
  type UpdateRecord,
  type UpdateSettings,
  type UpdateSettingsInput,
} from '../../model/update.ts';
import { checkMessage } from './calls.ts';
import { diffJob, isUnchanged, type JobDiff, restrictTo } from './diff.ts';
import type { InstanceView } from './newest-task.ts';
import { isUp } from './newest-task.ts';
import { instancesOf } from './order.ts';
import { startedProgress } from './record.ts';
import { resolveSettings } from './settings.ts';

/** Ranges in which the instances of an update may lie, before or after it, so that the record stays small. */
const maxInstructionRanges = 2000;

export interface UpdateRequest {
  readonly job: JobKey;
  readonly updateId: string;
  /** Default replace. */
  readonly kind?: UpdateKind | undefined;
  readonly user: string;
  readonly message?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** The config of each ACTIVE instance; see `currentConfigs`. */
  readonly current: readonly ConfiguredInstances[];
  /** The configs of the whole job as it shall be. */
  readonly proposed: readonly ConfiguredInstances[];
  /** Only these instances are touched; absent = all. */
  readonly only?: readonly InstanceRange[] | undefined;
  readonly settings: UpdateSettingsInput;
  /** All proposed configs are services' (others refuse an update), name an SLA policy, want agents of their own. */
  readonly configs: {
    readonly service: boolean;
    readonly hasSlaPolicy: boolean;
    readonly dedicated: boolean;
  };
  /** The job's newest update, if it has one. */
  readonly latest?: Pick<UpdateRecord, 'updateId' | 'status'> | undefined;
  /** Every instance the job should have, with its tasks. */
  readonly instances: readonly InstanceView[];
  /** Epoch ms. */
  readonly now: number;
}

/** `update` is absent if there is nothing to do. */
export interface StartPlan {
  readonly diff: JobDiff;
  readonly settings: UpdateSettings;
  readonly update?: UpdateRecord;
}

/**
 * Works out a new update, for `start` as for `plan`. Refuses with CONFLICT (another update is active; its id is in the
 * details) or INVALID_REQUEST.
 */
export function planUpdate(request: UpdateRequest): StartPlan {
  const { job, current, proposed, latest, configs, now } = request;
  if (latest && !isTerminalUpdate(latest.status)) {
    throw new BorealisError(
      'CONFLICT',
      `job ${jobPath(job)} is being updated by ${latest.updateId} (${latest.status}); nothing was started. Wait for it, or abort it or roll it back.`,
      { details: { updateId: latest.updateId, status: latest.status } },
    );
  }
  if (!configs.service)
    throw refused('Updates are not supported for non-service tasks', 'Kill the job and create it anew.');
  checkMessage(request.message);
  checkProposal(proposed);
  const settings = resolveSettings(request.settings, {
    instanceCount: countInstances(instancesOf(proposed)),
    dedicated: configs.dedicated,
    hasSlaPolicy: configs.hasSlaPolicy,
  });
  const diff = diffJob(current, proposed, request.only);
  if (isUnchanged(diff)) return { diff, settings };
  const update: UpdateRecord = {
    ...keyOf(request),
    settings,
    initial: checkedRanges(restrictTo(current, [...diff.update, ...diff.remove])),
    desired: checkedRanges(restrictTo(proposed, [...diff.update, ...diff.add])),
    progress: startedProgress(),
    downAtStart: toInstanceRanges(
      request.instances.filter(({ tasks }) => !isUp(tasks)).map(({ instance }) => instance),
    ),
    ...firstStatus(request, settings),
    createdAt: now,
    updatedAt: now,
  };
  return { diff, settings, update };
}

function keyOf({ job: { role, environment, name }, updateId, kind, user, metadata }: UpdateRequest) {
  return { role, environment, name, updateId, ...(kind && { kind }), user, metadata: { ...metadata } };
}

function firstStatus({ user, message, now }: UpdateRequest, { blockIfNoPulsesAfterMs }: UpdateSettings) {
  const status: UpdateRecord['status'] =
    blockIfNoPulsesAfterMs > 0 ? 'ROLL_FORWARD_AWAITING_PULSE' : 'ROLLING_FORWARD';
  return { status, lastPulseAt: 0, events: [{ status, at: now, user, ...(message && { message }) }] };
}

function checkProposal(proposed: readonly ConfiguredInstances[]): void {
  const ranges = proposed.flatMap(({ instances }) => instances);
  if (ranges.length === 0) throw refused('no instances are proposed', 'To end all instances, kill the job.');
  const odd = ranges.find(([low, high]) => high < low || high >= maxInstances);
  if (odd) {
    throw refused(
      `instance range ${odd[0]}-${odd[1]} is reversed or beyond ${maxInstances - 1}`,
      'Write the lower number first.',
    );
  }
  const twice = overlappingInstances(ranges);
  if (twice.length > 0) {
    throw refused(
      `instances ${formatInstances(twice).slice(0, 200)} are given more than one config`,
      'Give each instance one config.',
    );
  }
}

function checkedRanges(configured: ConfiguredInstances[]): ConfiguredInstances[] {
  const count = configured.reduce((sum, { instances }) => sum + instances.length, 0);
  if (count <= maxInstructionRanges) return configured;
  throw refused(
    `the instances to update lie in ${count} separate ranges, at most ${maxInstructionRanges} are possible`,
    'Update fewer instances at once, or name contiguous ones.',
  );
}

function refused(problem: string, advice: string): BorealisError {
  return new BorealisError('INVALID_REQUEST', `${problem}. Nothing was started. ${advice}`);
}
