// From the settings asked for to the settings of the record: older fields read, defaults filled in, bounds checked
// (spec/updates.md section 4).
import { BorealisError } from '../../lib/errors.ts';
import {
  type UpdateSettings,
  type UpdateSettingsInput,
  type UpdateStrategy,
  updateSettingsInputSchema,
} from '../../model/update.ts';
import { limitProblems } from '../../model/update-limits.ts';

/** What the bounds depend on. */
export interface SettingsFacts {
  /** Instances of the job once the update is done. */
  readonly instanceCount: number;
  /** The job has agents of its own (a `dedicated` constraint). */
  readonly dedicated: boolean;
  /** The new config names an SLA policy. */
  readonly hasSlaPolicy: boolean;
}

/** The settings to store. INVALID_REQUEST with every problem in `details.problems`; then nothing may be started. */
export function resolveSettings(input: UpdateSettingsInput, facts: SettingsFacts): UpdateSettings {
  const parsed = updateSettingsInputSchema.safeParse(input);
  if (!parsed.success) {
    throw refused(
      parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'settings'}: ${message}`),
    );
  }
  const { strategy, updateGroupSize, waitForBatchCompletion, ...common } = parsed.data;
  const problems: string[] = [];
  if (strategy && (updateGroupSize ?? 1) > 1) {
    problems.push('updateGroupSize: say the group size in the strategy, not next to it');
  }
  if (strategy && waitForBatchCompletion) {
    problems.push(
      'waitForBatchCompletion: choose the batch strategy instead of naming another strategy with it',
    );
  }
  const settings = {
    strategy: strategy ?? olderStrategy(updateGroupSize ?? 1, waitForBatchCompletion ?? false),
    ...common,
  };
  problems.push(...boundProblems(settings, facts));
  if (problems.length > 0) throw refused(problems);
  return settings;
}

function olderStrategy(groupSize: number, waitForBatchCompletion: boolean): UpdateStrategy {
  return waitForBatchCompletion
    ? { kind: 'batch', groupSize, autoPause: false }
    : { kind: 'queue', groupSize };
}

function boundProblems(settings: UpdateSettings, facts: SettingsFacts): string[] {
  const { instanceCount, dedicated, hasSlaPolicy } = facts;
  const problems = limitProblems(settings, instanceCount).map(
    ({ setting, problem }) => `${setting}: ${problem}`,
  );
  const least = dedicated ? Math.floor(instanceCount * 0.02) : 0;
  if (settings.maxFailedInstances < least) {
    problems.push(
      `maxFailedInstances: a job with agents of its own must bear 2% failed instances, here at least ${least}`,
    );
  }
  if (settings.slaAware && !hasSlaPolicy) {
    problems.push('slaAware: the new config has no SLA policy to go by');
  }
  return problems;
}

function refused(problems: readonly string[]): BorealisError {
  return new BorealisError(
    'INVALID_REQUEST',
    `the update settings cannot be used: ${problems.join('; ')}. Nothing was started.`,
    { details: { problems } },
  );
}
