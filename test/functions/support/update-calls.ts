// Jobs that run, and what a test asks of the API about their updates.
import type { JobSubmission } from '../../../shared/model/job.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import { pathOf, registration, statusReport, submission, type World } from './world.ts';

/** A service of three instances. */
export function service(over: Partial<JobSubmission> = {}, task: Partial<TaskConfig> = {}): JobSubmission {
  return submission(over, { service: true, ...task });
}

/** The same configs with another command line. */
export function changed(job: JobSubmission, cmdline = 'echo changed'): JobSubmission['configs'] {
  return job.configs.map(({ instances, task }) => ({
    instances,
    task: { ...task, processes: task.processes.map((process) => ({ ...process, cmdline })) },
  }));
}

/** The body of a replacement of the whole job. */
export function replace(configs: JobSubmission['configs']) {
  return { change: { kind: 'replace', configs } };
}

/** Agent a1, with room for everything. */
export function roomyAgent() {
  const { capacity } = registration('a1').offer;
  return registration('a1', { capacity: { ...capacity, cpuMilli: 100_000, ramMb: 100_000 } });
}

/** What the tests ask of their world, looked up at each call because it is made after this. */
export function updateCalls(worldNow: () => World) {
  return {
    /** Submits a job; every instance runs, on a1. */
    runningJob: async (job: JobSubmission = service()): Promise<JobSubmission> => {
      const world = worldNow();
      await world.call('POST', pathOf(job), { body: job });
      await world.run();
      const tasks = await world.tasks(job);
      const statuses = tasks.map(({ taskId }): [string, string] => [taskId, 'RUNNING']);
      await world.report([statusReport('a1', statuses)]);
      await world.run();
      return job;
    },
    start: (job: JobSubmission, body: object, headers: Record<string, string> = {}) =>
      worldNow().call('POST', `${pathOf(job)}/updates`, { body, headers }),
    plan: (job: JobSubmission, body: object) =>
      worldNow().call('POST', `${pathOf(job)}/updates/plan`, { body }),
  };
}
