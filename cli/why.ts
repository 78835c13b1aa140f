// Why tasks wait, as sentences with numbers. "Can never fit" and "no room now" are said differently (design D13).
import type { Why } from '../shared/api/views.ts';
import { countInstances, formatInstances } from '../shared/model/instance-ranges.ts';
import type { PendingReason, Reason } from '../shared/model/reason.ts';
import { count, formatMb, formatMilli, formatSpan } from './output/words.ts';

/** One sentence per group of waiting instances; empty when nothing waits. */
export function explainWhy(why: Why, now: number = Date.now()): string[] {
  const pending = why.pending.map(({ instances, reason }) => {
    const waiting = count(countInstances(instances), 'instance');
    const which = `${waiting} (${formatInstances(instances)})`;
    if (reason === null) return `${which} wait: no matcher has looked at them yet.`;
    return `${which} ${verdictText(reason)}`;
  });
  const throttled = why.throttled.map(({ instance, until }) => {
    const left = until === null ? '' : ` for another ${formatSpan(Date.parse(until) - now)}`;
    return `instance ${instance} is held back${left} because it keeps ending soon after its start.`;
  });
  return [...pending, ...throttled];
}

/** What stands in the way of tasks that wait, continuing a sentence about them. */
export function verdictText(reason: PendingReason): string {
  if (reason.agents === 0 || reason.counts.some(({ code }) => code === 'NO_AGENTS')) {
    return 'wait: there is no agent in the pool. Start one with `borealis agent run`.';
  }
  const nearest = reason.nearest;
  const closest = nearest
    ? `: nearest is agent ${nearest.agentId}, where it ${nearest.reasons.map(reasonText).join(' and ')}`
    : '';
  const tally = ` (of ${count(reason.agents, 'agent')}: ${talliesText(reason)}).`;
  if (reason.verdict === 'neverFits') {
    return `can never be placed on the present agents, even if they were empty${closest}${tally} Change the job or add agents.`;
  }
  return `wait for room${closest}${tally}`;
}

function talliesText(reason: PendingReason): string {
  return reason.counts
    .toSorted((a, b) => b.agents - a.agents)
    .map(({ code, attribute, agents }) => `${agents} ${codeWords(code)}${attribute ? ` ${attribute}` : ''}`)
    .join(', ');
}

/** What stands against one agent: "needs 4 cores, 2.5 free". */
export function reasonText(reason: Reason): string {
  const { code, attribute, needed, available } = reason;
  const amounts = (format: (value: number) => string): string => {
    if (needed === undefined) return '';
    const has = available === undefined ? '' : ` and ${format(available)} is free`;
    return ` ${format(needed)}${has}`;
  };
  switch (code) {
    case 'CPU':
      return `needs${amounts((milli) => `${formatMilli(milli)} cores`) || ' more CPU than is free'}`;
    case 'RAM':
      return `needs${amounts((mb) => `${formatMb(mb)} of memory`) || ' more memory than is free'}`;
    case 'DISK':
      return `needs${amounts((mb) => `${formatMb(mb)} of disk`) || ' more disk than is free'}`;
    case 'GPU':
      return `needs${amounts((milli) => `${formatMilli(milli)} of a GPU`) || ' more GPUs than are free'}`;
    case 'PORTS':
      return `needs${amounts((ports) => count(ports, 'port')) || ' more ports than are free'}`;
    case 'GPU_MODEL':
      return 'finds no GPU of an acceptable model';
    case 'CONSTRAINT':
      return `breaks the constraint on ${attribute ?? 'an attribute'}`;
    case 'LIMIT':
      return `would exceed the limit per ${attribute ?? 'attribute'}${needed === undefined ? '' : ` (${needed})`}`;
    case 'DEDICATED':
      return 'is kept out because the agent is dedicated to other jobs';
    case 'MAINTENANCE':
      return 'is kept out because the agent is in maintenance';
    case 'AWAY':
      return 'is kept out because nothing is heard of the agent';
    case 'NO_AGENTS':
      return 'finds no agent in the pool';
  }
}

function codeWords(code: Reason['code']): string {
  switch (code) {
    case 'CPU':
    case 'GPU':
    case 'RAM':
      return `lack ${code}`;
    case 'DISK':
      return 'lack disk';
    case 'PORTS':
      return 'lack ports';
    case 'GPU_MODEL':
      return 'have no acceptable GPU model';
    case 'CONSTRAINT':
      return 'ruled out by constraint';
    case 'LIMIT':
      return 'at the limit per';
    case 'DEDICATED':
      return 'dedicated to others';
    case 'MAINTENANCE':
      return 'in maintenance';
    case 'AWAY':
      return 'silent or lost';
    case 'NO_AGENTS':
      return 'no agents';
  }
}
