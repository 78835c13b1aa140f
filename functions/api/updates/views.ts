// Stored updates as the API shows them (shared/api/updates.ts).
import type { UpdateDetail, UpdateView } from '../../../shared/api/updates.ts';
import { batchesOf, progressCounts } from '../../../shared/domain/update/batches.ts';
import { progressOf } from '../../../shared/domain/update/progress.ts';
import { isGoingBack } from '../../../shared/domain/update/status-machine.ts';
import { jobPath } from '../../../shared/model/job-key.ts';
import { isTerminalUpdate, type UpdateRecord } from '../../../shared/model/update.ts';
import { isoTime } from '../views.ts';

/** Batches shown with an update, around the present one. */
const mostBatches = 200;

/** An update in short. */
export function updateView(update: UpdateRecord, cluster: string): UpdateView {
  const { role, environment, name, updateId, status, user, metadata } = update;
  const { count, current } = batchesOf(update, 1);
  return {
    role,
    environment,
    name,
    job: `${cluster}/${jobPath(update)}`,
    updateId,
    kind: update.kind ?? 'replace',
    status,
    active: !isTerminalUpdate(status),
    direction: isGoingBack(status) ? 'back' : 'forward',
    user,
    message: update.events.at(-1)?.message ?? null,
    metadata,
    progress: progressCounts(update),
    batch: current ?? null,
    batches: count,
    createdAt: isoTime(update.createdAt),
    updatedAt: isoTime(update.updatedAt),
  };
}

/** An update in full, but for what its working instances do, which the tasks say. */
export function updateDetail(
  update: UpdateRecord,
  cluster: string,
  working: UpdateDetail['working'],
): UpdateDetail {
  const { waiting, working: busy, done, failed, untouched } = progressOf(update);
  return {
    ...updateView(update, cluster),
    settings: update.settings,
    initial: update.initial,
    desired: update.desired,
    instances: { waiting, working: busy, done, failed, untouched },
    batchList: batchesOf(update, mostBatches).list,
    working,
    events: update.events.map(({ status, at, user, message }) => ({
      status,
      at: isoTime(at),
      user: user ?? null,
      message: message ?? null,
    })),
    lastPulseAt: update.lastPulseAt === 0 ? null : isoTime(update.lastPulseAt),
  };
}
