// Task launches for agent tests; what a test doesn't name is an ordinary small batch task.

import type * as z from 'zod';
import type { TaskLaunch } from '../../../shared/model/protocol.ts';
import { taskLaunchSchema } from '../../../shared/model/protocol.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import { processSchema } from '../../../shared/model/task-config.ts';

type ProcessInput = z.input<typeof processSchema>;

export interface LaunchInput extends Partial<Omit<TaskConfig, 'processes' | 'resources'>> {
  readonly processes: readonly ProcessInput[];
  readonly resources?: Partial<TaskConfig['resources']>;
  readonly ports?: Record<string, number>;
  readonly instance?: number;
}

let ids = 0;

/** A launch with a fresh task id. */
export function launchOf(input: LaunchInput): TaskLaunch {
  const { processes, resources, ports, instance = 0, ...config } = input;
  const suffix = `${process.pid.toString(36)}${(ids++).toString(36)}${Date.now().toString(36)}`.slice(-16);
  return taskLaunchSchema.parse({
    taskId: `tester~devel~job~${instance}~1~${suffix}`,
    role: 'tester',
    environment: 'devel',
    name: 'job',
    cluster: 'test',
    instance,
    generation: 1,
    grant: { gpus: [], ports: ports ?? {} },
    config: {
      service: false,
      tier: 'preemptible',
      priority: 0,
      maxTaskFailures: 1,
      constraints: [],
      pool: 'default',
      metadata: {},
      maxFailures: 1,
      maxConcurrency: 0,
      finalizationWaitSecs: 30,
      ordering: [],
      ...config,
      resources: { cpuMilli: 100, ramMb: 512, diskMb: 512, ports: Object.keys(ports ?? {}), ...resources },
      processes: processes.map((each) => processSchema.parse({ minDurationSecs: 0, ...each })),
    },
  });
}
