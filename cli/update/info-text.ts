// One update as text: what it is, how far each batch is, what the working instances do, and its history.
import type { UpdateDetail } from '../../shared/api/updates.ts';
import { formatInstances } from '../../shared/model/instance-ranges.ts';
import type { UpdateSettings } from '../../shared/model/update.ts';
import type { InstanceEvents } from '../client/read.ts';
import { type Paint, plain, stateFormat } from '../output/style.ts';
import { type CellLike, tableLines } from '../output/table.ts';
import { count, formatSpan } from '../output/words.ts';
import { barText } from './bar.ts';
import { statusFormat, waitText } from './words.ts';

interface InfoOptions {
  readonly paint: Paint;
  /** Epoch ms, for ages. */
  readonly now: number;
}

/** Batches shown around the present one. */
const batchesShown = 12;

/** Lines for people. `events`: what happened to each instance, if asked for. */
export function infoLines(
  update: UpdateDetail,
  events: InstanceEvents | undefined,
  options: InfoOptions,
): string[] {
  const { paint } = options;
  return [
    ...headLines(update, options),
    ...batchLines(update, paint),
    ...workingLines(update, options),
    paint('bold', 'History:'),
    ...update.events.map(({ status, at, user, message }) => {
      const by = user === null ? '' : ` by ${plain(user)}`;
      const why = message === null ? '' : `: ${plain(message)}`;
      return `  ${at}  ${paint(statusFormat(status), status)}${by}${why}`;
    }),
    ...(events === undefined ? [] : eventLines(events, paint)),
  ];
}

function headLines(update: UpdateDetail, { paint, now }: InfoOptions): string[] {
  const { progress, instances } = update;
  const age = formatSpan(now - Date.parse(update.createdAt));
  const labels = Object.entries(update.metadata).map(([name, value]) => `${plain(name)}=${plain(value)}`);
  const sets = [
    ['waiting', instances.waiting],
    ['working', instances.working],
    ['done', instances.done],
    ['failed', instances.failed],
    ['untouched', instances.untouched],
  ] as const;
  return [
    `${paint('bold', update.job)}  update ${update.updateId}`,
    `  ${paint(statusFormat(update.status), update.status)}, ${update.kind}, started ${age} ago by ${plain(update.user)}`,
    `  ${barText(progress, paint)} ${progress.done} of ${count(progress.total, 'instance')} done${update.direction === 'back' ? ' on the way back' : ''}`,
    ...sets
      .filter(([, ranges]) => ranges.length > 0)
      .map(([name, ranges]) => `  ${name}: instances ${clip(formatInstances(ranges))}`),
    `  settings: ${settingsText(update.settings)}`,
    ...(labels.length === 0 ? [] : [`  metadata: ${labels.join(', ')}`]),
    ...(update.lastPulseAt === null ? [] : [`  last pulse: ${update.lastPulseAt}`]),
  ];
}

/** `batches of 3, watch 45s, roll back on failure, ...`. */
export function settingsText(settings: UpdateSettings): string {
  const { strategy } = settings;
  const sizes =
    strategy.kind === 'varBatch'
      ? `batches of ${strategy.groupSizes.join(', ')}`
      : strategy.kind === 'batch'
        ? `batches of ${strategy.groupSize}`
        : `${strategy.groupSize} at a time`;
  const borne =
    settings.maxFailedInstances === 0
      ? 'no failed instance'
      : `${count(settings.maxFailedInstances, 'failed instance')}`;
  return [
    sizes,
    ...(strategy.kind !== 'queue' && strategy.autoPause ? ['pause after each'] : []),
    `watch ${formatSpan(settings.minWaitInInstanceRunningMs)}`,
    `bears ${borne}`,
    ...(settings.maxPerInstanceFailures > 0 ? [`${settings.maxPerInstanceFailures} ends per instance`] : []),
    settings.rollbackOnFailure ? 'rolls back on failure' : 'stops on failure',
    ...(settings.blockIfNoPulsesAfterMs > 0
      ? [`needs a pulse every ${formatSpan(settings.blockIfNoPulsesAfterMs)}`]
      : []),
    ...(settings.placementDeadlineMs === undefined
      ? []
      : [
          `placement deadline ${formatSpan(settings.placementDeadlineMs)}, then ${settings.onPlacementDeadline}`,
        ]),
  ].join(', ');
}

function batchLines({ batchList, batch, batches }: UpdateDetail, paint: Paint): string[] {
  const at = Math.max(
    0,
    batchList.findIndex(({ number }) => number === batch?.number),
  );
  const from = Math.max(0, Math.min(at - Math.floor(batchesShown / 2), batchList.length - batchesShown));
  const shown = batchList.slice(from, from + batchesShown);
  const rows = shown.map((one): CellLike[] => [
    `${one.number === batch?.number ? '>' : ' '} ${one.number}`,
    clip(formatInstances(one.instances)),
    // Coloured pieces would be measured by the table; the marks say the same.
    barText(one, (_format, text) => text),
    `${one.done}/${one.total} done${one.failed === 0 ? '' : `, ${one.failed} failed`}`,
  ]);
  const hidden = batches - shown.length;
  return [
    paint('bold', `Batches (${batches}):`),
    ...tableLines(['  BATCH', 'INSTANCES', 'PROGRESS', ''], rows, paint),
    ...(hidden > 0 ? [`  ... and ${hidden} more`] : []),
  ];
}

function workingLines({ working }: UpdateDetail, { paint, now }: InfoOptions): string[] {
  if (working.length === 0) return [];
  const rows = working.map((one): CellLike[] => [
    `  ${one.instance}`,
    one.state === null ? 'none' : { text: one.state, format: stateFormat(one.state) },
    one.agentId ?? '-',
    one.since === null ? '' : formatSpan(now - Date.parse(one.since)),
    waitText(one) ?? '',
  ]);
  return [
    paint('bold', `Working (${working.length}):`),
    ...tableLines(['  INSTANCE', 'STATE', 'AGENT', 'SINCE', ''], rows, paint),
  ];
}

function eventLines(events: InstanceEvents, paint: Paint): string[] {
  return [
    paint('bold', `Instances (${count(events.length, 'event')}):`),
    ...events.map(({ at, instance, action, message }) => {
      const why = message === null ? '' : `: ${plain(message)}`;
      return `  ${at}  ${instance}  ${action}${why}`;
    }),
  ];
}

function clip(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
