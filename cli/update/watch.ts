// Follows an update to its end. On a terminal one line per batch is repainted as a bar; in a pipe each change is a line.
// Ends with one line that says how it ended.
import { setTimeout as sleep } from 'node:timers/promises';
import stringWidth from 'string-width';
import type { UpdateDetail } from '../../shared/api/updates.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { JobKey } from '../../shared/model/job-key.ts';
import { formatSpan } from '../output/words.ts';
import type { Session } from '../session.ts';
import { firstWait, plainLine, progressLine } from './bar.ts';
import { statusFormat, verdictText } from './words.ts';

export interface WatchOptions {
  readonly key: JobKey;
  /** `cluster/role/env/name`, for messages. */
  readonly shown: string;
  readonly updateId: string;
  /** Absent = as long as it takes. */
  readonly timeoutMs?: number | undefined;
  /** Least pause between two looks; grows with the time a look takes. Default 500. */
  readonly pollMs?: number;
}

/** More batches than this share one line, or they would fill the screen. */
const mostBatchLines = 40;

/** The update once it has ended. TIMEOUT (exit 9) if it has not by then; it goes on. */
export async function watchUpdate(session: Session, options: WatchOptions): Promise<UpdateDetail> {
  const startedAt = performance.now();
  const progress = createProgress(session, options.shown);
  try {
    for (;;) {
      const lookedAt = performance.now();
      const update = await session.client.call('getUpdate', {
        params: { ...options.key, updateId: options.updateId },
        signal: session.io.signal,
      });
      const passedMs = performance.now() - startedAt;
      progress.show(update, passedMs);
      if (!update.active) {
        progress.end();
        const { status } = update;
        const verdict = verdictText(update).replace(
          status,
          session.out.paintTalk(statusFormat(status), status),
        );
        session.out.say(`${options.shown}: update ${update.updateId} ${verdict}`);
        return update;
      }
      if (options.timeoutMs !== undefined && passedMs >= options.timeoutMs) throw timedOut(options, update);
      const pauseMs = Math.max(options.pollMs ?? 500, 3 * (performance.now() - lookedAt));
      const remainingMs = (options.timeoutMs ?? Number.POSITIVE_INFINITY) - passedMs;
      await sleep(Math.min(pauseMs, remainingMs), undefined, { signal: session.io.signal });
    }
  } finally {
    progress.end();
  }
}

function timedOut({ shown, timeoutMs = 0 }: WatchOptions, update: UpdateDetail): BorealisError {
  const wait = firstWait(update);
  return new BorealisError(
    'TIMEOUT',
    `update ${update.updateId} of ${shown} has not ended within ${formatSpan(timeoutMs)} (${plainLine(update)}); it goes on.${wait === undefined ? '' : ` Now ${wait}.`} See \`borealis update info ${shown}\`, or wait with \`borealis update wait ${shown}\`.`,
  );
}

interface Progress {
  show(update: UpdateDetail, passedMs: number): void;
  end(): void;
}

function createProgress(session: Session, shown: string): Progress {
  const { stderr } = session.io;
  const live = stderr.isTTY === true && !session.quiet;
  /** What is on the line that is being repainted. */
  let open: string | undefined;
  let lastPlain = '';
  let lastStatus = '';
  const endLine = () => {
    if (open !== undefined) stderr.write('\n');
    open = undefined;
  };
  const paintLine = (update: UpdateDetail, passedMs: number) => {
    const text = shortened(progressLine(update, passedMs, session.out.paintTalk), stderr.columns);
    stderr.write(`\r\u001b[K${text}`);
  };
  const repaint = (update: UpdateDetail, passedMs: number) => {
    const line = update.batches > mostBatchLines ? update.direction : lineName(update);
    if (open !== undefined && line !== open) {
      const finished = finishedBatch(update, open);
      if (finished) paintLine(finished, passedMs);
      endLine();
    }
    open = line;
    paintLine(update, passedMs);
  };
  const sayChange = (update: UpdateDetail, passedMs: number) => {
    const text = plainLine(update);
    if (update.active && text !== lastPlain) session.out.say(`${formatSpan(passedMs).padStart(5)}  ${text}`);
    lastPlain = text;
  };
  return {
    show(update, passedMs) {
      const stopped = update.status !== lastStatus ? stopText(update, shown) : undefined;
      lastStatus = update.status;
      if (live) repaint(update, passedMs);
      else sayChange(update, passedMs);
      if (stopped === undefined) return;
      endLine();
      session.out.say(stopped);
    },
    end: endLine,
  };
}

function lineName({ direction, batch }: UpdateDetail): string {
  return `${direction} ${batch?.number ?? 'end'}`;
}

/** The update with the batch of a line that is left for good: how that ended is only known now. */
function finishedBatch(update: UpdateDetail, line: string): UpdateDetail | undefined {
  const batch = update.batchList.find((one) => lineName({ ...update, batch: one }) === line);
  return batch && { ...update, batch };
}

/** A line longer than the terminal would wrap and could not be repainted; what is waited for goes first. */
function shortened(text: string, columns: number | undefined): string {
  const at = text.indexOf('; ');
  return columns === undefined || at === -1 || stringWidth(text) < columns ? text : text.slice(0, at);
}

/** What a person can do about an update that does not go on, or why it turned back. */
function stopText({ status, events }: UpdateDetail, shown: string): string | undefined {
  const why = events.at(-1)?.message;
  const because = why ? ` (${why})` : '';
  if (status.endsWith('_PAUSED')) return `paused${because}: go on with \`borealis update resume ${shown}\``;
  if (status.endsWith('_AWAITING_PULSE')) {
    return `stopped until it is pulsed${because}: \`borealis update pulse ${shown}\``;
  }
  return status === 'ROLLING_BACK' ? `rolling back${because}` : undefined;
}
