// borealis agent status: one agent, what it has, what is free, what runs on it.
import type { Command } from '@commander-js/extra-typings';
import type { AgentView, DrainStatus } from '../../shared/api/views.ts';
import type { Cli, Example } from '../command.ts';
import { holdText } from '../output/drain-text.ts';
import { plain } from '../output/style.ts';
import { formatMb, formatMilli, formatSpan } from '../output/words.ts';

export const examples: readonly Example[] = [
  ['borealis agent status agent-1', 'what it has, what is free, what runs there'],
  ['borealis agent status agent-1 --json', 'for programs'],
];
export const exits = [6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('One agent: what it has, what is free, its attributes and its tasks.')
    .argument('<id>', 'agent id, see `agent list`')
    .option('--json', 'print the agent as JSON')
    .action(async (agentId, options, self) => {
      const session = cli.session(self);
      const agent = await session.client.call('getAgent', { params: { agentId }, signal: cli.io.signal });
      if (options.json) return session.out.json(agent);
      const drain =
        agent.drain === null
          ? undefined
          : await session.client.call('drainStatus', { params: { agentId }, signal: cli.io.signal });
      for (const line of agentLines(agent, drain, Date.now())) session.out.data(line);
    });
}

function agentLines(agent: AgentView, drain: DrainStatus | undefined, now: number): string[] {
  const { capacity, free } = agent;
  const seen = agent.lastSeenAt === null ? 'never' : `${formatSpan(now - Date.parse(agent.lastSeenAt))} ago`;
  const gpus = capacity.gpus.map(
    (model, i) => `  gpu ${i}       ${model}, ${formatMilli(free.gpuMilli[i] ?? 0)} free`,
  );
  return [
    `${agent.agentId} on ${plain(agent.host)}, pool ${agent.pool}`,
    `  mode        ${agent.mode === 'NONE' ? 'in use' : agent.mode}, last seen ${seen}, version ${plain(agent.version)}`,
    ...drainLines(agent, now),
    `  cpu         ${formatMilli(free.cpuMilli)} of ${formatMilli(capacity.cpuMilli)} cores free`,
    `  memory      ${formatMb(free.ramMb)} of ${formatMb(capacity.ramMb)} free`,
    `  disk        ${formatMb(free.diskMb)} of ${formatMb(capacity.diskMb)} free`,
    ...gpus,
    ...(agent.principal === undefined ? [] : [`  identity    ${plain(agent.principal)}`]),
    `  ports       ${capacity.portRange.join('-')}`,
    ...Object.entries(agent.attributes).map(
      ([name, values]) => `  ${name.padEnd(11)} ${plain(values.join(', '))}`,
    ),
    `  tasks (${agent.tasks.length}):`,
    ...agent.tasks.map((taskId) => {
      const task = drain?.tasks.find((one) => one.taskId === taskId);
      return `    ${taskId}${task ? `  ${holdText(task.hold)}` : ''}`;
    }),
  ];
}

function drainLines({ mode, drain }: AgentView, now: number): string[] {
  if (drain === null) return [];
  const why = drain.reason === '' ? '' : `, ${plain(drain.reason)}`;
  const since = formatSpan(now - Date.parse(drain.requestedAt));
  const forced = mode === 'DRAINING' ? `, by force in ${formatSpan(Date.parse(drain.deadlineAt) - now)}` : '';
  return [`  drain       asked for ${since} ago by ${plain(drain.requestedBy)}${why}${forced}`];
}
