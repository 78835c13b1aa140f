// A plan of an update as text: which instances change, and for each what is ended and where its new task would go.
import type { UpdatePlan } from '../../shared/api/updates.ts';
import { formatInstances } from '../../shared/model/instance-ranges.ts';
import type { PendingReason } from '../../shared/model/reason.ts';
import type { UpdateKind } from '../../shared/model/update.ts';
import type { Paint } from '../output/style.ts';
import { count } from '../output/words.ts';
import { verdictText } from '../why.ts';
import { settingsText } from './info-text.ts';
import { diffLines } from './start.ts';

type Step = UpdatePlan['steps'][number];

/** Instances of one batch to which the same happens are told in one line. */
export function planLines(plan: UpdatePlan, paint: Paint, kind: UpdateKind = 'replace'): string[] {
  const lines = [
    ...diffLines(plan.diff, kind),
    `  ${settingsText(plan.settings)}: ${count(plan.batches, 'batch', 'batches')}`,
  ];
  for (const [batch, steps] of Map.groupBy(plan.steps, (step) => step.batch)) {
    lines.push(paint('bold', `Batch ${batch}:`));
    for (const [what, same] of Map.groupBy(steps, (step) => stepText(step))) {
      const instances = formatInstances(same.map(({ instance }) => [instance, instance]));
      const format = same.some(({ create }) => create?.reason != null) ? 'yellow' : 'green';
      lines.push(`  ${instances}: ${paint(format, what)}`);
    }
  }
  if (plan.unlisted > 0)
    lines.push(`... and ${count(plan.unlisted, 'instance')} more, not looked at one by one`);
  const stuck = plan.steps.filter(({ create }) => create?.reason != null).length;
  if (stuck > 0) {
    lines.push(
      paint(
        'yellow',
        `${count(stuck, 'new task')} would find no place now: the update would wait there until there is room.`,
      ),
    );
  }
  return lines;
}

function stepText({ kill, create }: Step): string {
  const ended =
    kill === null
      ? undefined
      : `end the ${kill.state} task${kill.agentId === null ? '' : ` on ${kill.agentId}`}`;
  const made =
    create === null
      ? undefined
      : create.agentId === null
        ? placeText(create.reason)
        : `place a new one on ${create.agentId}`;
  return [ended, made].filter((part) => part !== undefined).join(', ');
}

function placeText(reason: PendingReason | null): string {
  return reason === null ? 'create a new one' : `the new one would ${verdictText(reason)}`;
}
