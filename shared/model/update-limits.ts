// Bounds of an update's settings that depend on how many instances the job has (spec/updates.md section 4). The API keeps
// them; job files and the command line say the same before anything is sent.
import type { UpdateSettings } from './update.ts';

/** Bound of maxPerInstanceFailures x instances: what a hopeless update may wear out. */
const maxUpdateInstanceFailures = 20_000;
/** Shortest interval of pulses, milliseconds: what watches over an update is called over a network. */
const leastPulseMs = 60_000;

type BoundedSettings = Pick<
  UpdateSettings,
  'maxPerInstanceFailures' | 'maxFailedInstances' | 'blockIfNoPulsesAfterMs'
>;

export interface LimitProblem {
  /** The setting that is out of bounds. */
  readonly setting: keyof BoundedSettings;
  /** What is wrong and what would be right, without the name of the setting. */
  readonly problem: string;
}

/** What is wrong with settings for a job of so many instances once the update is done; a setting left out is 0. */
export function limitProblems(settings: Partial<BoundedSettings>, instanceCount: number): LimitProblem[] {
  const { maxPerInstanceFailures = 0, maxFailedInstances = 0, blockIfNoPulsesAfterMs = 0 } = settings;
  const problems: LimitProblem[] = [];
  if (maxPerInstanceFailures * instanceCount > maxUpdateInstanceFailures) {
    const most = Math.floor(maxUpdateInstanceFailures / instanceCount);
    const problem = `${maxPerInstanceFailures} for each of ${instanceCount} instances is more than ${maxUpdateInstanceFailures} failures; at most ${most}`;
    problems.push({ setting: 'maxPerInstanceFailures', problem });
  }
  // 0 is right for a job of one instance as well as for one of none.
  if (maxFailedInstances > 0 && maxFailedInstances >= instanceCount) {
    const problem = `${maxFailedInstances} of ${instanceCount} instances: the update could never fail; at most ${Math.max(0, instanceCount - 1)}`;
    problems.push({ setting: 'maxFailedInstances', problem });
  }
  if (blockIfNoPulsesAfterMs > 0 && blockIfNoPulsesAfterMs < leastPulseMs) {
    const problem = `an interval of ${blockIfNoPulsesAfterMs} ms is too short; 0 for none, else at least ${leastPulseMs}`;
    problems.push({ setting: 'blockIfNoPulsesAfterMs', problem });
  }
  return problems;
}
