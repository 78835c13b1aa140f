// From a wish to the configs of the whole job: restarts under fresh ids, additions, removals, and what is refused.
import { describe, expect, it } from 'vitest';
import {
  adoptCopies,
  contentOf,
  type JobEdit,
  proposeEdit,
} from '../../../../shared/domain/update/propose.ts';
import type { Job } from '../../../../shared/model/job.ts';
import type { InstanceRange } from '../../../../shared/model/job-key.ts';
import type { ConfiguredInstances } from '../../../../shared/model/update.ts';
import { makeJob, t0 } from '../../../contract/fixtures.ts';
import { all } from './sample-update.ts';

const jobOf = (...configured: ConfiguredInstances[]): Job =>
  makeJob({
    desired: configured.flatMap(({ configId, instances }) =>
      instances.map((range) => ({ configId, instances: range, since: 1 })),
    ),
    reconciledVersion: 1,
  });
const propose = (edit: JobEdit, current: ConfiguredInstances[], only?: InstanceRange[]) =>
  proposeEdit(jobOf(...current), edit, current, only, t0);

describe('a restart', () => {
  it.each<[string, ConfiguredInstances[], InstanceRange[] | undefined, ConfiguredInstances[]]>([
    ['gives every instance a copy', [all('a', [0, 3])], undefined, [all('a.1', [0, 3])]],
    ['leaves the others', [all('a', [0, 3])], [[1, 2]], [all('a', [0, 0], [3, 3]), all('a.1', [1, 2])]],
    [
      'goes back to the plain id when no instance has it',
      [all('a.1', [0, 3])],
      undefined,
      [all('a', [0, 3])],
    ],
    [
      'takes a third id while both are in use',
      [all('a', [0, 1]), all('a.1', [2, 3])],
      undefined,
      [all('a.2', [0, 3])],
    ],
    [
      'keeps different configs apart',
      [all('a', [0, 1]), all('b', [2, 2])],
      undefined,
      [all('a.1', [0, 1]), all('b.1', [2, 2])],
    ],
  ])('%s', (_what, current, only, proposed) => {
    expect(propose({ kind: 'restart' }, current, only)).toMatchObject({ kind: 'restart', proposed });
  });

  it('never gives an instance the id that it runs', () => {
    const current = [all('a', [0, 0]), all('a.1', [1, 1]), all('a.2', [2, 2]), all('b.7', [3, 3])];
    const { proposed } = propose({ kind: 'restart' }, current);
    expect(proposed).toEqual([all('a.3', [0, 2]), all('b', [3, 3])]);
    expect(proposed.map(({ configId }) => contentOf(configId))).toEqual(['a', 'b']);
  });

  it('does not touch what is not wanted any more or not active', () => {
    const job = jobOf(all('a', [0, 1]));
    const current = [all('a', [0, 0], [5, 5])];
    expect(proposeEdit(job, { kind: 'restart' }, current, undefined, t0).only).toEqual([[0, 0]]);
    expect(() => proposeEdit(job, { kind: 'restart' }, current, [[0, 1]], t0)).toThrow(
      /instances 1 of job .* are not active/,
    );
  });
});

describe('more and fewer instances', () => {
  it.each<[JobEdit, ConfiguredInstances[], InstanceRange[]]>([
    [{ kind: 'add', count: 2 }, [all('a', [0, 1]), all('b', [2, 4])], [[3, 4]]],
    [{ kind: 'add', count: 1, template: 0 }, [all('a', [0, 1], [3, 3]), all('b', [2, 2])], [[3, 3]]],
    [{ kind: 'remove', count: 2 }, [all('a', [0, 0])], [[1, 2]]],
    [{ kind: 'remove', instances: [[0, 0]] }, [all('a', [1, 1]), all('b', [2, 2])], [[0, 0]]],
  ])('%j', (edit, proposed, only) => {
    expect(propose(edit, [all('a', [0, 1]), all('b', [2, 2])])).toEqual({ kind: edit.kind, proposed, only });
  });

  it('are refused while another update has the job, and for instances it does not have', () => {
    const job = { ...jobOf(all('a', [0, 1])), updateId: 'u0' };
    expect(() => proposeEdit(job, { kind: 'add', count: 1 }, [], undefined, t0)).toThrow(/u0/);
    expect(() => propose({ kind: 'remove', instances: [[2, 2]] }, [all('a', [0, 1])])).toThrow(/instances 2/);
    expect(() => propose({ kind: 'add', count: 1 }, [])).toThrow(/no instances whose config/);
  });
});

describe('adoptCopies', () => {
  it('takes an instance that was restarted for what the file says, and another config for what it is', () => {
    const current = [all('a', [0, 1]), all('a.1', [2, 3]), all('b', [4, 4])];
    expect(adoptCopies([all('a', [0, 5])], current)).toEqual([all('a', [0, 1], [4, 5]), all('a.1', [2, 3])]);
  });
});
