// Trace tasks as jobs: consecutive tasks share a job, equal shapes share a config, and instance numbers follow the file,
// so that with equal priority the matcher sees the tasks in file order.

import type { JobSubmission } from '../../shared/model/job.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import type { Resources } from '../../shared/model/resources.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import type { TraceTask } from './trace.ts';

/** Tasks per job: a job is one request and one row, far below the limits of both. */
export const tasksPerJob = 1000;

/** One job of consecutive tasks; instance i is `tasks[i]`. */
export interface TraceJob {
  readonly submission: JobSubmission;
  readonly tasks: readonly TraceTask[];
}

/** The jobs of a trace in file order. */
export function traceJobs(tasks: readonly TraceTask[], size: number = tasksPerJob): TraceJob[] {
  const jobs: TraceJob[] = [];
  for (let from = 0; from < tasks.length; from += size) {
    jobs.push(traceJob(`trace-${String(jobs.length).padStart(5, '0')}`, tasks.slice(from, from + size)));
  }
  return jobs;
}

/** One job that holds these tasks. */
export function traceJob(name: string, tasks: readonly TraceTask[]): TraceJob {
  const groups = new Map<string, { resources: Resources; instances: InstanceRange[] }>();
  tasks.forEach(({ resources }, instance) => {
    const shape = JSON.stringify(resources);
    const group = groups.get(shape) ?? { resources, instances: [] };
    groups.set(shape, group);
    const last = group.instances.at(-1);
    if (last && last[1] === instance - 1) last[1] = instance;
    else group.instances.push([instance, instance]);
  });
  const configs = [...groups.values()].map(({ resources, instances }) => ({
    instances,
    task: taskOf(resources),
  }));
  return { tasks, submission: { role: 'openb', environment: 'test', name, configs } };
}

/** Nothing is run: the agents are simulated. The command line says so to whoever looks. */
function taskOf(resources: Resources): TaskConfig {
  return {
    service: false,
    tier: 'preemptible',
    priority: 0,
    maxTaskFailures: 1,
    constraints: [],
    pool: 'default',
    metadata: {},
    resources,
    maxFailures: 1,
    maxConcurrency: 0,
    finalizationWaitSecs: 30,
    processes: [
      {
        name: 'replayed',
        cmdline: 'true # a task of a replayed trace: simulated, never run',
        maxFailures: 1,
        daemon: false,
        ephemeral: false,
        final: false,
        minDurationSecs: 5,
      },
    ],
    ordering: [],
  };
}
