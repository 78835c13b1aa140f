// Updates as the API answers them, for the commands about them.
import type { UpdateDetail, UpdatePlan, UpdateView } from '../../../shared/api/updates.ts';

const at = '2026-11-22T10:00:00.000Z';

export function updateView(changes: Partial<UpdateView> = {}): UpdateView {
  const progress = { total: 9, waiting: 6, working: 1, done: 2, failed: 0 };
  return {
    role: 'www',
    environment: 'prod',
    name: 'hello',
    job: 'local/www/prod/hello',
    updateId: 'u1',
    kind: 'replace',
    status: 'ROLLING_FORWARD',
    active: true,
    direction: 'forward',
    user: 'ann',
    message: null,
    metadata: {},
    progress,
    batch: { number: 1, instances: [[0, 2]], total: 3, waiting: 0, working: 1, done: 2, failed: 0 },
    batches: 3,
    createdAt: at,
    updatedAt: '2026-11-22T10:01:12.000Z',
    ...changes,
  };
}

export function updateDetail(changes: Partial<UpdateDetail> = {}): UpdateDetail {
  const view = updateView(changes);
  return {
    ...view,
    settings: {
      strategy: { kind: 'batch', groupSize: 3, autoPause: false },
      maxPerInstanceFailures: 0,
      maxFailedInstances: 0,
      minWaitInInstanceRunningMs: 45_000,
      rollbackOnFailure: true,
      blockIfNoPulsesAfterMs: 0,
      slaAware: false,
      onPlacementDeadline: 'pause',
    },
    initial: [{ configId: 'old', instances: [[0, 8]] }],
    desired: [{ configId: 'new', instances: [[0, 8]] }],
    instances: { waiting: [[3, 8]], working: [[2, 2]], done: [[0, 1]], failed: [], untouched: [] },
    batchList: view.batch === null ? [] : [view.batch],
    working: [],
    events: [{ status: 'ROLLING_FORWARD', at, user: 'ann', message: null }],
    lastPulseAt: null,
    ...changes,
  };
}

/** How updates end, as they are shown. */
export function endedUpdate(
  status: 'ROLLED_FORWARD' | 'ROLLED_BACK' | 'FAILED' | 'ABORTED' | 'ERROR',
  changes: Partial<UpdateDetail> = {},
): UpdateDetail {
  const back = status === 'ROLLED_BACK';
  return updateDetail({
    status,
    active: false,
    direction: back ? 'back' : 'forward',
    batch: null,
    progress: { total: 9, waiting: 0, working: 0, done: 9, failed: 0 },
    ...changes,
  });
}

export function updatePlan(changes: Partial<UpdatePlan> = {}): UpdatePlan {
  const kill = { taskId: 't', state: 'RUNNING', agentId: 'a1', configId: 'old' } as const;
  const reason = {
    verdict: 'waiting',
    agents: 2,
    counts: [{ code: 'CPU', agents: 2 }],
    nearest: { agentId: 'a2', reasons: [{ code: 'CPU', needed: 4000, available: 2500 }] },
    at: 0,
  } as const;
  return {
    job: 'local/www/prod/hello',
    version: 7,
    changed: true,
    diff: { add: [[2, 2]], remove: [], update: [[0, 1]], unchanged: [] },
    settings: updateDetail().settings,
    batches: 2,
    steps: [
      { instance: 2, batch: 1, kill: null, create: { configId: 'new', agentId: 'a1', reason: null } },
      { instance: 0, batch: 1, kill, create: { configId: 'new', agentId: 'a1', reason: null } },
      {
        instance: 1,
        batch: 2,
        kill,
        create: {
          configId: 'new',
          agentId: null,
          reason: {
            ...reason,
            counts: [...reason.counts],
            nearest: { ...reason.nearest, reasons: [...reason.nearest.reasons] },
          },
        },
      },
    ],
    unlisted: 0,
    ...changes,
  };
}
