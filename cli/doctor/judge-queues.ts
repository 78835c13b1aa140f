// Queues: what waits, and what was given up.
import type { Finding, QueueFacts } from './facts.ts';

const backlogBar = 1_000;
const isDeadLetters = /-dlq(\.fifo)?$/;

/** One finding for each queue with something wrong; one for all if nothing is. */
export function judgeQueues(queues: readonly QueueFacts[], cluster: string): Finding[] {
  const findings = queues.flatMap((queue): Finding[] => {
    const { name, visible } = queue;
    const messages = visible === 1 ? '1 message' : `${visible} messages`;
    if (isDeadLetters.test(name)) {
      if (visible === 0) return [];
      return [
        {
          check: 'queues',
          level: 'problem',
          message: `${name} holds ${messages}: work that was given up`,
          todo: `Look at the messages, then redrive or delete them: docs/runbook.md#${entryOf(name, cluster)}`,
        },
      ];
    }
    if (visible < backlogBar) return [];
    return [
      {
        check: 'queues',
        level: 'warning',
        message: `${name} holds ${messages} that wait`,
        todo: 'Look again in a minute; if it does not fall, its function is stuck or throttled (docs/runbook.md, the entry with -backlog).',
      },
    ];
  });
  if (findings.length > 0) return findings;
  return [
    { check: 'queues', level: 'ok', message: `${queues.length} queues, none with a backlog or dead letters` },
  ];
}

/** `borealis-CLUSTER-PART-dlq` has the entry PART-dead-letters. */
function entryOf(name: string, cluster: string): string {
  return `${name.replace(`borealis-${cluster}-`, '').replace(isDeadLetters, '')}-dead-letters`;
}
