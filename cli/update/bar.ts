// The progress of an update as one line of text: the batch that is worked on as a bar, and the whole.
import type { UpdateDetail, UpdateView } from '../../shared/api/updates.ts';
import { formatInstances } from '../../shared/model/instance-ranges.ts';
import type { Paint } from '../output/style.ts';
import { formatSpan } from '../output/words.ts';
import { statusFormat, waitText } from './words.ts';

type Batch = NonNullable<UpdateView['batch']>;
const barWidth = 20;

/** `[########>>>>........]`: done, working, still to come; failed ones as `!`. */
export function barText(
  { total, done, working, failed }: Pick<Batch, 'total' | 'done' | 'working' | 'failed'>,
  paint: Paint,
): string {
  const parts = [
    { n: done, mark: '#', format: 'green' },
    { n: failed, mark: '!', format: 'red' },
    { n: working, mark: '>', format: 'cyan' },
  ] as const;
  let seen = 0;
  let filled = 0;
  const text = parts.map(({ n, mark, format }) => {
    seen += n;
    const end = total === 0 ? barWidth : Math.round((seen / total) * barWidth);
    const piece = mark.repeat(Math.max(0, end - filled));
    filled = Math.max(filled, end);
    return piece === '' ? '' : paint(format, piece);
  });
  return `[${text.join('')}${'.'.repeat(Math.max(0, barWidth - filled))}]`;
}

/** `batch 2/3 [####>>....] 3-5` with the counts of the whole update behind it. */
export function progressLine(update: UpdateDetail, passedMs: number, paint: Paint): string {
  const { progress, status } = update;
  const whole = `${progress.done}/${progress.total} done${progress.failed === 0 ? '' : `, ${progress.failed} failed`}`;
  const head = `${formatSpan(passedMs).padStart(5)}  ${paint(statusFormat(status), status)}`;
  const batch = update.batch;
  if (batch === null) return `${head}  ${barText(progress, paint)}  ${whole}`;
  const wait = firstWait(update);
  const where = `batch ${batch.number}/${update.batches} ${barText(batch, paint)} ${clip(formatInstances(batch.instances))}`;
  return `${head}  ${where}  ${whole}${wait === undefined ? '' : `; ${wait}`}`;
}

/** The same without what changes all the time, for pipes: a new line only when something has happened. */
export function plainLine(update: UpdateDetail): string {
  const { progress, status, batch } = update;
  const failed = progress.failed === 0 ? '' : `, ${progress.failed} failed`;
  const where =
    batch === null
      ? ''
      : ` batch ${batch.number}/${update.batches} (instances ${clip(formatInstances(batch.instances))})`;
  return `${status}${where}: ${progress.done}/${progress.total} done, ${progress.working} working${failed}`;
}

/** What the first instance that waits for something out of the update's hands waits for. */
export function firstWait(update: UpdateDetail): string | undefined {
  const held = update.working.find(
    ({ waitsFor }) => waitsFor !== null && !['ENDING', 'STARTING', 'WATCH'].includes(waitsFor),
  );
  const text = held && waitText(held);
  return text === undefined ? undefined : `instance ${held?.instance} ${text}`;
}

function clip(text: string): string {
  return text.length <= 24 ? text : `${text.slice(0, 21)}...`;
}
