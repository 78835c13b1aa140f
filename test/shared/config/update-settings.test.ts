// The `update` part of a job file, as the API takes it.
import { describe, expect, it } from 'vitest';
import { parseJobFile } from '../../../shared/config/parse-job-file.ts';
import type { UpdateSettingsInput } from '../../../shared/model/update.ts';

const job = `
role: www
environment: prod
name: web
task:
  resources: { cpu: 1, ramMb: 16, diskMb: 16 }
  processes: [{ name: main, cmdline: 'true' }]
`;
const read = (text: string) =>
  parseJobFile(`${job}${text}`, { format: 'yaml', fileName: 'job.yaml', bindings: { size: '7' } });

describe('update settings of a job file', () => {
  it.each<[string, UpdateSettingsInput | undefined]>([
    ['', undefined],
    ['update: {}', {}],
    ['update: { batchSize: 3 }', { strategy: { kind: 'queue', groupSize: 3 } }],
    ['update: { batchSize: "{{size}}" }', { strategy: { kind: 'queue', groupSize: 7 } }],
    [
      'update: { batchSize: 3, waitForBatch: true }',
      { strategy: { kind: 'batch', groupSize: 3, autoPause: false } },
    ],
    [
      'update: { batches: [1, 5], autoPause: true }',
      { strategy: { kind: 'varBatch', groupSizes: [1, 5], autoPause: true } },
    ],
    [
      'update: { watchSecs: 0, maxPerInstanceFailures: 1, maxTotalFailures: 2, rollbackOnFailure: false }',
      {
        minWaitInInstanceRunningMs: 0,
        maxPerInstanceFailures: 1,
        maxFailedInstances: 2,
        rollbackOnFailure: false,
      },
    ],
    [
      'update: { pulseIntervalSecs: 60, placementDeadlineSecs: 1.5, onPlacementDeadline: rollback }',
      { blockIfNoPulsesAfterMs: 60_000, placementDeadlineMs: 1500, onPlacementDeadline: 'rollback' },
    ],
  ])('%s', (text, settings) => {
    expect(read(text).updates).toEqual([settings]);
  });

  it('are no part of the task: changing them changes no instance', () => {
    expect(read('update: { batchSize: 3 }').submissions).toEqual(read('').submissions);
  });

  it('contradict each other only where they say so', () => {
    expect(() => read('update: { batchSize: 3, batches: [1, 2] }')).toThrow(/contradict each other/);
  });
});
