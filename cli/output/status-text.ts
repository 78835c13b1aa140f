// A job with its tasks as text.
import type { JobDetail, TaskView } from '../../shared/api/views.ts';
import { formatInstances } from '../../shared/model/instance-ranges.ts';
import { isActive } from '../../shared/model/task.ts';
import { type Paint, plain, stateFormat } from './style.ts';
import { type CellLike, tableLines } from './table.ts';
import { count, formatMb, formatMilli, formatSpan } from './words.ts';

export interface StatusTextOptions {
  readonly paint: Paint;
  /** Epoch ms, for ages. */
  readonly now: number;
  /** Every event of every task. */
  readonly events: boolean;
}

/** Ended tasks shown without --events; the rest is counted. */
const endedShown = 20;

/** Lines for people: the job, active tasks, tasks that have ended. */
export function statusLines(detail: JobDetail, options: StatusTextOptions): string[] {
  const active = detail.tasks.filter(({ state }) => isActive(state));
  const ended = detail.tasks.filter(({ state }) => !isActive(state));
  const shown = options.events ? ended : ended.slice(0, endedShown);
  const hidden = ended.length - shown.length;
  return [
    ...headLines(detail, options),
    options.paint('bold', `Active tasks (${active.length}):`),
    ...taskLines(active, options),
    options.paint('bold', `Inactive tasks (${ended.length}):`),
    ...taskLines(shown, options),
    ...(hidden > 0 ? [`  ... and ${hidden} more; --events or --json shows all`] : []),
  ];
}

function headLines({ job, counts, configs }: JobDetail, { paint, now }: StatusTextOptions): string[] {
  const kind = job.service ? 'service' : 'batch';
  const age = formatSpan(now - Date.parse(job.createdAt));
  const lines = [
    paint('bold', job.key),
    `  ${kind}, ${count(job.instances, 'instance')}, ${job.tier}, priority ${job.priority}, created ${age} ago by ${plain(job.createdBy)}`,
    `  ${counts.pending} pending, ${counts.active} active, ${counts.finished} finished, ${counts.failed} failed`,
  ];
  const perConfig = new Map<string, [number, number][]>();
  for (const { instances, configId } of job.desired) {
    perConfig.set(configId, [...(perConfig.get(configId) ?? []), instances]);
  }
  for (const [configId, ranges] of [...perConfig].slice(0, 10)) {
    const resources = configs[configId]?.resources;
    if (resources) lines.push(`  instances ${formatInstances(ranges)}: ${resourceWords(resources)}`);
  }
  if (perConfig.size > 10) lines.push(`  ... and ${perConfig.size - 10} more configs`);
  if (!job.reconciled) lines.push('  the newest change is still being carried out');
  return lines;
}

/** `0.5 cores, 128 MiB memory, 64 MiB disk, 0.5 GPU`. */
function resourceWords(resources: TaskView['resources']): string {
  const parts = [
    `${formatMilli(resources.cpuMilli)} cores`,
    `${formatMb(resources.ramMb)} memory`,
    `${formatMb(resources.diskMb)} disk`,
  ];
  if (resources.gpus > 0) {
    const share = resources.gpuMilli > 0 && resources.gpuMilli < 1000 ? resources.gpuMilli : 1000;
    const models = resources.gpuModels.length > 0 ? ` (${resources.gpuModels.join(' or ')})` : '';
    parts.push(`${formatMilli(resources.gpus * share)} GPU${models}`);
  }
  if (resources.ports.length > 0) parts.push(`ports ${resources.ports.join(', ')}`);
  return parts.join(', ');
}

function taskLines(tasks: readonly TaskView[], options: StatusTextOptions): string[] {
  if (tasks.length === 0) return [];
  if (options.events) return tasks.flatMap((task) => taskWithEvents(task, options));
  const rows = tasks.map((task): CellLike[] => {
    const last = task.events.at(-1);
    return [
      { text: String(task.instance), align: 'right' },
      { text: task.state, format: stateFormat(task.state) },
      last ? formatSpan(options.now - Date.parse(last.at)) : '',
      task.agentId ?? '-',
      portsText(task),
      task.failureCount,
      last?.message ?? '',
    ];
  });
  const headers = ['INSTANCE', 'STATE', 'FOR', 'AGENT', 'PORTS', 'FAILURES', 'MESSAGE'];
  return tableLines(headers, rows, options.paint).map((line) => `  ${line}`);
}

function portsText(task: TaskView): string {
  const ports = Object.entries(task.grant?.ports ?? {}).map(([name, port]) => `${name}=${port}`);
  return ports.length === 0 ? '-' : ports.join(',');
}

function taskWithEvents(task: TaskView, { paint }: StatusTextOptions): string[] {
  const ports = portsText(task) === '-' ? '' : `  ports ${portsText(task)}`;
  const head = `  instance ${task.instance}  ${paint(stateFormat(task.state), task.state)}  on ${task.agentId ?? 'no agent'}${ports}  ${task.taskId}`;
  const events = task.events.map(
    ({ at, state, message }) => `    ${at}  ${state}${message ? `: ${plain(message)}` : ''}`,
  );
  return [head, ...events];
}
