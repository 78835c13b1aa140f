// Settings of an update from the words of a command line; what is not said comes from the job file, else from the
// defaults of the API (spec/updates.md section 4).
import { type Command, Option, type OptionValues } from '@commander-js/extra-typings';
import type { UpdateBody } from '../../shared/api/updates.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { UpdateSettingsInput } from '../../shared/model/update.ts';
import { limitProblems } from '../../shared/model/update-limits.ts';
import { parseDurationMs } from '../keys.ts';

/** What the options below are read into. */
export interface SettingWords {
  readonly batchSize?: string | undefined;
  readonly batches?: string | undefined;
  readonly waitForBatch?: true | undefined;
  readonly autoPause?: true | undefined;
  readonly watch?: string | undefined;
  readonly maxPerInstanceFailures?: string | undefined;
  readonly maxTotalFailures?: string | undefined;
  /** False with --no-rollback. */
  readonly rollback?: boolean | undefined;
  readonly pulse?: string | undefined;
  readonly placementDeadline?: string | undefined;
  readonly onPlacementDeadline?: 'pause' | 'rollback' | undefined;
}

/** Options every command has that starts an update. */
export function withBatchOptions<A extends unknown[], O extends OptionValues>(command: Command<A, O>) {
  return command
    .option('--batch-size <n>', 'instances at a time')
    .option('--watch <span>', 'how long an instance must run to count as done')
    .option('--max-per-instance-failures <n>', 'ends of an instance that are borne before it has failed')
    .option('--max-total-failures <n>', 'failed instances that are borne before the update fails');
}

/** The further settings of an update to another config. */
export function withUpdateOptions<A extends unknown[], O extends OptionValues>(command: Command<A, O>) {
  return withBatchOptions(command)
    .option('--wait-for-batch', 'start a batch when the one before is done, not instance by instance')
    .option('--batches <sizes>', 'growing batches, e.g. 1,5,20; the last size repeats')
    .option('--auto-pause', 'pause after each batch until `update resume`')
    .option('--no-rollback', 'when too many fail, stop there instead of putting everything back')
    .option('--pulse <span>', 'stop unless `update pulse` is called this often (at least 1m)')
    .option('--placement-deadline <span>', 'how long an instance may wait for room; default for ever')
    .addOption(
      new Option('--on-placement-deadline <what>', 'what happens then').choices([
        'pause',
        'rollback',
      ] as const),
    );
}

type Settings = NonNullable<UpdateBody['settings']>;

/** The settings with what the command line says laid over `base`; INVALID_REQUEST says which word is wrong. */
export function readSettings(words: SettingWords, base: UpdateSettingsInput = {}): Settings {
  const strategy = readStrategy(words);
  const settings: UpdateSettingsInput = {
    ...base,
    ...(strategy && { strategy }),
    ...(words.watch !== undefined && { minWaitInInstanceRunningMs: parseDurationMs(words.watch) }),
    ...numberOf('maxPerInstanceFailures', '--max-per-instance-failures', words.maxPerInstanceFailures),
    ...numberOf('maxFailedInstances', '--max-total-failures', words.maxTotalFailures),
    ...(words.rollback === false && { rollbackOnFailure: false }),
    ...(words.pulse !== undefined && { blockIfNoPulsesAfterMs: pulseMs(words.pulse) }),
    ...(words.placementDeadline !== undefined && {
      placementDeadlineMs: parseDurationMs(words.placementDeadline),
    }),
    ...(words.onPlacementDeadline !== undefined && { onPlacementDeadline: words.onPlacementDeadline }),
  };
  // What is left out is filled in by the API; the type of its body has that already.
  return settings as Settings;
}

function readStrategy({ batchSize, batches, waitForBatch, autoPause }: SettingWords) {
  if (batches !== undefined) {
    if (batchSize !== undefined) throw refused('--batch-size and --batches contradict each other; give one');
    const groupSizes = batches.split(',').map((size) => wholeNumber('--batches', size.trim(), 1));
    return { kind: 'varBatch' as const, groupSizes, autoPause: autoPause === true };
  }
  if (batchSize === undefined && !waitForBatch && !autoPause) return undefined;
  const groupSize = batchSize === undefined ? 1 : wholeNumber('--batch-size', batchSize, 1);
  return waitForBatch || autoPause
    ? { kind: 'batch' as const, groupSize, autoPause: autoPause === true }
    : { kind: 'queue' as const, groupSize };
}

function pulseMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms >= 60_000) return ms;
  throw refused(`--pulse ${text} is too short: the interval must be at least 1m`);
}

function numberOf<N extends string>(name: N, option: string, text: string | undefined) {
  return text === undefined ? {} : ({ [name]: wholeNumber(option, text, 0) } as Record<N, number>);
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  throw refused(`${option} "${text}" is not a whole number from ${least}`);
}

const settingNames = {
  maxPerInstanceFailures: '--max-per-instance-failures',
  maxFailedInstances: '--max-total-failures',
  blockIfNoPulsesAfterMs: '--pulse',
} as const;

/** INVALID_REQUEST if settings, whether of the file or of the command line, do not fit a job of so many instances. */
export function checkLimits(settings: Settings, instances: number): void {
  const problems = limitProblems(settings, instances);
  if (problems.length === 0) return;
  const said = problems.map(({ setting, problem }) => `${settingNames[setting]} (or the file): ${problem}`);
  throw refused(said.join('; '));
}

/** `name=value` labels of --metadata. */
export function readMetadata(pairs: readonly string[] | undefined): Record<string, string> | undefined {
  if (pairs === undefined) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw refused(`--metadata "${pair}" is not name=value`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function refused(problem: string): BorealisError {
  return new BorealisError('INVALID_REQUEST', `${problem}. Nothing was started.`);
}
