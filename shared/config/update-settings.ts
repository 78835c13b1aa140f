// The `update` part of a job file: how the job is updated unless the command line says otherwise (spec/updates.md
// section 4), in the units of job files.
import * as z from 'zod';
import type { UpdateSettingsInput } from '../model/update.ts';

const size = z.number().int().min(1).max(100_000);
const count = z.number().int().min(0);
const seconds = z.number().min(0).max(31_536_000);

export const fileUpdateSchema = z
  .strictObject({
    batchSize: size.optional().describe('Instances at a time. Default 1.'),
    batches: z
      .array(size)
      .min(1)
      .max(100)
      .optional()
      .describe('Growing batches instead of batchSize, for example [1, 5, 20]; the last size repeats.'),
    waitForBatch: z
      .boolean()
      .optional()
      .describe('Start a batch when the one before is done, not instance by instance.'),
    autoPause: z.boolean().optional().describe('Pause after each batch until it is resumed.'),
    watchSecs: seconds.optional().describe('Seconds an instance must run to count as done. Default 45.'),
    maxPerInstanceFailures: count
      .optional()
      .describe('Ends of one instance that are borne before it has failed. Default 0.'),
    maxTotalFailures: count
      .optional()
      .describe('Failed instances that are borne before the update fails. Default 0.'),
    rollbackOnFailure: z
      .boolean()
      .optional()
      .describe('false: stop when too many fail, put nothing back. Default true.'),
    pulseIntervalSecs: seconds
      .min(60)
      .optional()
      .describe('Stop unless the update is pulsed this often; at least 60. Default: no pulses.'),
    placementDeadlineSecs: seconds
      .min(1)
      .optional()
      .describe('Seconds an instance may wait for room. Default: for ever.'),
    onPlacementDeadline: z
      .enum(['pause', 'rollback'])
      .optional()
      .describe('What happens then. Default pause.'),
  })
  .refine(({ batchSize, batches }) => batchSize === undefined || batches === undefined, {
    path: ['batches'],
    error: 'batchSize and batches contradict each other; give one',
  });
type FileUpdate = z.infer<typeof fileUpdateSchema>;

/** As the API takes them. */
export function toUpdateSettings(file: FileUpdate): UpdateSettingsInput {
  const strategy = strategyOf(file);
  return {
    ...(strategy && { strategy }),
    ...(file.watchSecs !== undefined && { minWaitInInstanceRunningMs: millis(file.watchSecs) }),
    ...(file.maxPerInstanceFailures !== undefined && {
      maxPerInstanceFailures: file.maxPerInstanceFailures,
    }),
    ...(file.maxTotalFailures !== undefined && { maxFailedInstances: file.maxTotalFailures }),
    ...(file.rollbackOnFailure !== undefined && { rollbackOnFailure: file.rollbackOnFailure }),
    ...(file.pulseIntervalSecs !== undefined && {
      blockIfNoPulsesAfterMs: millis(file.pulseIntervalSecs),
    }),
    ...(file.placementDeadlineSecs !== undefined && {
      placementDeadlineMs: millis(file.placementDeadlineSecs),
    }),
    ...(file.onPlacementDeadline !== undefined && { onPlacementDeadline: file.onPlacementDeadline }),
  };
}

function strategyOf(file: FileUpdate): UpdateSettingsInput['strategy'] {
  const { batchSize, batches, waitForBatch = false, autoPause = false } = file;
  if (batches !== undefined) return { kind: 'varBatch', groupSizes: batches, autoPause };
  if (batchSize === undefined && !waitForBatch && !autoPause) return undefined;
  const groupSize = batchSize ?? 1;
  return waitForBatch || autoPause ? { kind: 'batch', groupSize, autoPause } : { kind: 'queue', groupSize };
}

function millis(secs: number): number {
  return Math.round(secs * 1000);
}
