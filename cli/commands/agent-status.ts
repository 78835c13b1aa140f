// borealis agent status: one agent, what it has, what is free, what runs on it.
import type { Command } from '@commander-js/extra-typings';
import type { AgentView } from '../../shared/api/views.ts';
import type { Cli, Example } from '../command.ts';
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
      for (const line of agentLines(agent, Date.now())) session.out.data(line);
    });
}

function agentLines(agent: AgentView, now: number): string[] {
  const { capacity, free } = agent;
  const seen = agent.lastSeenAt === null ? 'never' : `${formatSpan(now - Date.parse(agent.lastSeenAt))} ago`;
  const gpus = capacity.gpus.map(
    (model, i) => `  gpu ${i}       ${model}, ${formatMilli(free.gpuMilli[i] ?? 0)} free`,
  );
  return [
    `${agent.agentId} on ${plain(agent.host)}, pool ${agent.pool}`,
    `  mode        ${agent.mode === 'NONE' ? 'in use' : agent.mode}, last seen ${seen}, version ${plain(agent.version)}`,
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
    ...agent.tasks.map((taskId) => `    ${taskId}`),
  ];
}
