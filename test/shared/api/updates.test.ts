// The shapes of requests about updates: what is taken and what is refused before anything is read.
import { describe, expect, it } from 'vitest';
import { updateRoutes } from '../../../shared/api/updates.ts';

const { body } = updateRoutes.startUpdate;

describe('the body of a start', () => {
  it.each([
    { change: { kind: 'restart' } },
    { change: { kind: 'restart' }, only: [[0, 2]], settings: { strategy: { kind: 'queue', groupSize: 2 } } },
    { change: { kind: 'add', count: 2 } },
    { change: { kind: 'remove', count: 2 }, message: 'less load' },
    { change: { kind: 'remove', instances: [[3, 4]] }, expectedVersion: 0, metadata: { ticket: 'OPS-1' } },
  ])('takes %j', (value) => {
    expect(body.safeParse(value).error).toBeUndefined();
  });

  it.each([
    [{}, 'change'],
    [{ change: { kind: 'remove' } }, 'change'],
    [{ change: { kind: 'remove', count: 2, instances: [[0, 1]] } }, 'change'],
    [{ change: { kind: 'add', count: 0 } }, 'change.count'],
    [{ change: { kind: 'restart' }, only: [] }, 'only'],
    [{ change: { kind: 'restart' }, settings: { watchSecs: 3 } }, 'settings'],
    [{ change: { kind: 'restart' }, message: 'x'.repeat(1025) }, 'message'],
    [{ change: { kind: 'restart' }, dryRun: true }, ''],
  ])('refuses %j and says where', (value, path) => {
    expect(body.safeParse(value).error?.issues[0]?.path.join('.')).toBe(path);
  });
});

describe('the filters of a list', () => {
  const { query } = updateRoutes.listUpdates;

  it('take a comma list of statuses and nothing else', () => {
    expect(query.safeParse({ status: 'FAILED,ROLLED_BACK' }).success).toBe(true);
    expect(query.safeParse({ status: 'BROKEN' }).success).toBe(false);
  });
});

it('every route of one job carries its role in the path, for IAM', () => {
  for (const { path } of Object.values(updateRoutes)) expect(path).toMatch(/^\/(?:jobs\/\{role\}|updates)/);
});
