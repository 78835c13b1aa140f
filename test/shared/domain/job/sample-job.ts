// Jobs for the tests of desired state and reconcile.
import { newJob } from '../../../../shared/domain/job/desired.ts';
import type { Job } from '../../../../shared/model/job.ts';
import type { InstanceRange } from '../../../../shared/model/job-key.ts';
import { jobKey, sampleConfig } from '../task/sample-task.ts';

/** A submission with one config per entry of instance ranges. */
export function submission(...configs: InstanceRange[][]) {
  return { ...jobKey, configs: configs.map((instances) => ({ instances, task: sampleConfig })) };
}

/** A new job with config ids c0, c1, ... */
export function sampleJob(...configs: InstanceRange[][]): Job {
  return newJob({
    submission: submission(...configs),
    cluster: 'local',
    user: 'ann',
    now: 1000,
    configIds: configs.map((_ranges, index) => `c${index}`),
  });
}
