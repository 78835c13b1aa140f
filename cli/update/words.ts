// What the states of an update and the waits of its instances mean, in words for people.
import type { UpdateDetail, UpdateView } from '../../shared/api/updates.ts';
import type { UpdateStatus } from '../../shared/model/update.ts';
import type { Format } from '../output/style.ts';
import { count, formatSpan } from '../output/words.ts';
import { reasonText } from '../why.ts';

/** Exit code of a command that waited for the end of an update (spec/client-and-ui.md section 3). */
export function exitOfEnd(status: UpdateStatus): 0 | 4 | 20 {
  if (status === 'ROLLED_FORWARD') return 0;
  return status === 'ROLLED_BACK' ? 4 : 20;
}

export function statusFormat(status: UpdateStatus): Format {
  switch (status) {
    case 'ROLLED_FORWARD':
      return 'green';
    case 'ROLLING_FORWARD':
      return 'cyan';
    case 'FAILED':
    case 'ERROR':
      return 'red';
    case 'ABORTED':
      return 'dim';
    case 'ROLLING_BACK':
    case 'ROLLED_BACK':
    case 'ROLL_FORWARD_PAUSED':
    case 'ROLL_BACK_PAUSED':
    case 'ROLL_FORWARD_AWAITING_PULSE':
    case 'ROLL_BACK_AWAITING_PULSE':
      return 'yellow';
  }
}

const doneWords = { replace: 'updated', restart: 'restarted', add: 'added', remove: 'removed' } as const;

/** One line that says how an update has ended. */
export function verdictText(update: UpdateView): string {
  const { status, progress, kind } = update;
  const took = formatSpan(Date.parse(update.updatedAt) - Date.parse(update.createdAt));
  const because = update.message === null ? '' : ` ${sentence(update.message)}`;
  if (status === 'ROLLED_FORWARD') {
    const lost = progress.failed === 0 ? '' : `, ${progress.failed} failed (borne by the settings)`;
    return `ROLLED_FORWARD: ${count(progress.done, 'instance')} ${doneWords[kind]} in ${took}${lost}.`;
  }
  if (status === 'ROLLED_BACK') {
    return `ROLLED_BACK: ${count(progress.total, 'instance')} put back after ${took}.${causeOf(update)}`;
  }
  const done = `${progress.done} of ${count(progress.total, 'instance')} done`;
  if (status === 'ABORTED') return `ABORTED after ${took}: instances stay as they are (${done}).${because}`;
  return `${status} after ${took}: ${done}, ${progress.failed} failed.${because}`;
}

/** Why it was turned back: of the events, which only the detail has. */
function causeOf(update: UpdateView | UpdateDetail): string {
  const events = 'events' in update ? update.events : [];
  const turn = events.findLast(({ status }) => status === 'ROLLING_BACK');
  return turn?.message ? ` ${sentence(turn.message)}` : '';
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** What a working instance waits for; undefined if nothing holds it up. */
export function waitText(working: UpdateDetail['working'][number]): string | undefined {
  switch (working.waitsFor) {
    case null:
      return undefined;
    case 'ENDING':
      return 'its old task is ending';
    case 'PLACEMENT':
      return `waits for room${roomText(working)}`;
    case 'PENALTY':
      return 'is held back, because its new tasks keep ending';
    case 'STARTING':
      return 'is starting and not healthy yet';
    case 'WATCH':
      return 'runs, but not for long enough yet';
    case 'PARTITIONED':
      return 'waits for its silent agent';
    case 'RESTARTING':
      return 'is being replaced on request of someone else';
    case 'BUDGET':
      return 'waits until fewer instances of the job are down';
    default:
      return `waits (${working.waitsFor})`;
  }
}

function roomText({ reason }: UpdateDetail['working'][number]): string {
  if (reason === null) return ', no matcher has looked yet';
  const never = reason.verdict === 'neverFits' ? ' and can never fit' : '';
  if (reason.nearest === undefined) return `${never}: there is no agent in the pool`;
  const lacks = reason.nearest.reasons.map(reasonText).join(' and ');
  return `${never}: nearest is agent ${reason.nearest.agentId}, where it ${lacks}`;
}
