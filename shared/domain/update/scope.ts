// Which instances an evaluation is about: all that the job should have or the update deals with, and among them those
// without which it cannot be made.
import { normaliseInstances } from '../../model/instance-ranges.ts';
import type { Job } from '../../model/job.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import type { UpdateRecord } from '../../model/update.ts';
import { desiredInstances } from '../job/desired.ts';
import { instancesToRead } from './evaluate.ts';
import { instancesOf } from './order.ts';

export interface EvaluationScope {
  /** An instance outside of these is nobody's loss: it must not be shown to the engine, which would count it as down. */
  readonly all: InstanceRange[];
  readonly needed: InstanceRange[];
}

/** The scope of the next evaluation of an update of a job. */
export function evaluationScope(job: Pick<Job, 'desired'>, update: UpdateRecord): EvaluationScope {
  const all = normaliseInstances([
    ...desiredInstances(job),
    ...instancesOf([...update.initial, ...update.desired]),
  ]);
  return { all, needed: instancesToRead(update) };
}
