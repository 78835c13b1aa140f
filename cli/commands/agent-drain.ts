// borealis agent drain: empty agents before maintenance; what runs there moves elsewhere within the budget of its job.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '@commander-js/extra-typings';
import type { DrainStatus } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { parseDurationMs } from '../keys.ts';
import { drainSummary } from '../output/drain-text.ts';
import { formatSpan } from '../output/words.ts';
import type { Session } from '../session.ts';

export const examples: readonly Example[] = [
  ['borealis agent drain agent-1 --wait', 'empty it and wait until nothing runs there'],
  ['borealis agent drain agent-1 agent-2 --deadline 30m -m "new kernel"', 'two at a time, within one budget'],
  ['borealis agent drain agent-1 --deadline 0s', 'at once, whatever the availability of jobs'],
];
export const exits = [4, 6, 9] as const;

const pollMs = 1000;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Empty agents: nothing new is placed on them, their tasks are ended and replaced elsewhere. Services lose no more than their budget at a time, batch work may finish, until the deadline.',
    )
    .argument('<id...>', 'agent ids, see `agent list`')
    .option('--deadline <span>', 'from then on tasks are ended without regard to anything', '1h')
    .option(
      '--percentage <share>',
      "share of a service's instances that must stay up; one may always go",
      '95',
    )
    .option('--settled <span>', 'an instance counts as up once it has run for so long', '30s')
    .option('-m, --message <text>', 'why, kept with the agent and in the history of each task')
    .option('--wait', 'wait until they are empty')
    .option('--timeout <span>', 'longest wait; default the deadline and 10 minutes')
    .action(async (ids, options, self) => {
      const session = cli.session(self);
      const deadlineMs = parseDurationMs(options.deadline);
      const body = {
        deadlineSecs: Math.ceil(deadlineMs / 1000),
        percentage: parsePercentage(options.percentage),
        settledSecs: Math.ceil(parseDurationMs(options.settled) / 1000),
        ...(options.message !== undefined && { reason: options.message }),
      };
      const timeoutMs =
        options.timeout === undefined ? deadlineMs + 600_000 : parseDurationMs(options.timeout);
      for (const agentId of ids) {
        const { tasks } = await session.client.call('drainAgent', {
          params: { agentId },
          body,
          signal: cli.io.signal,
        });
        session.out.say(
          `agent ${agentId} is being emptied: ${tasks.length} tasks, by force in ${formatSpan(deadlineMs)}`,
        );
      }
      if (options.wait) await waitUntilEmpty(session, ids, timeoutMs);
    });
}

async function waitUntilEmpty(session: Session, ids: readonly string[], timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  let open = [...ids];
  const shown = new Map<string, string>();
  for (;;) {
    const looks = await Promise.all(open.map((agentId) => look(session, agentId)));
    for (const status of looks) {
      const text = drainSummary(status);
      if (shown.get(status.agentId) !== text) session.out.say(text);
      shown.set(status.agentId, text);
    }
    open = looks.filter(({ mode }) => mode === 'DRAINING').map(({ agentId }) => agentId);
    if (open.length === 0) return;
    if (performance.now() >= end) {
      throw new BorealisError(
        'TIMEOUT',
        `${open.join(', ')} not empty after ${formatSpan(timeoutMs)}; the drain goes on. See \`borealis agent status\`.`,
      );
    }
    await sleep(pollMs, undefined, { signal: session.io.signal });
  }
}

/** COMMAND_FAILED if somebody has taken the agent back meanwhile. */
async function look(session: Session, agentId: string): Promise<DrainStatus> {
  try {
    return await session.client.call('drainStatus', { params: { agentId }, signal: session.io.signal });
  } catch (cause) {
    if (!(cause instanceof BorealisError && cause.code === 'NOT_FOUND')) throw cause;
    throw new BorealisError(
      'COMMAND_FAILED',
      `agent ${agentId} is no longer being emptied: somebody took it back into use, or removed it.`,
      { cause },
    );
  }
}

function parsePercentage(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value <= 100) return value;
  throw new BorealisError(
    'INVALID_REQUEST',
    `--percentage "${text}" is not a number from 0 to 100; no agent was changed.`,
  );
}
