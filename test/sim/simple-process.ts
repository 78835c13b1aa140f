// The part of a config that is the same for all simulated tasks: one process. What it does is in the metadata, which the
// simulated agent reads.
import type { TaskConfig } from '../../shared/model/task-config.ts';

export const simpleProcess = {
  maxFailures: 1,
  maxConcurrency: 0,
  finalizationWaitSecs: 30,
  processes: [
    {
      name: 'main',
      cmdline: 'sleep 1',
      maxFailures: 1,
      daemon: false,
      ephemeral: false,
      final: false,
      minDurationSecs: 5,
    },
  ],
  ordering: [],
} satisfies Partial<TaskConfig>;
