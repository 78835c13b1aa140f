// How far the emptying of an agent is, in words.
import type { DrainStatus } from '../../shared/api/views.ts';
import { count } from './words.ts';

type Hold = DrainStatus['tasks'][number]['hold'];

/** One line: `agent-1: 3 tasks left, 1 ending, 2 wait for the availability of their jobs`. */
export function drainSummary({ agentId, mode, tasks }: DrainStatus): string {
  if (mode === 'DRAINED') return `${agentId}: empty`;
  const of = (kind: NonNullable<Hold>['kind']) => tasks.filter(({ hold }) => hold?.kind === kind).length;
  const parts = [
    [of('ENDING'), 'ending'],
    [of('AVAILABILITY'), 'wait for the availability of their jobs'],
    [of('BATCH'), 'may finish until the deadline'],
  ].flatMap(([n, words]) => (Number(n) > 0 ? [`${n} ${words}`] : []));
  return [`${agentId}: ${count(tasks.length, 'task')} left`, ...parts].join(', ');
}

/** What a task that is still there waits for. */
export function holdText(hold: Hold): string {
  if (hold === null) return 'ends next';
  switch (hold.kind) {
    case 'ENDING':
      return 'ending';
    case 'BATCH':
      return 'batch work, may finish until the deadline';
    case 'AVAILABILITY':
      return `waits: ${hold.up} of ${hold.total} instances of its job are up, ${hold.allowedDown} may be down`;
  }
}
