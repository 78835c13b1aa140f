// borealis agent list: the fleet, one agent a line.
import type { Command } from '@commander-js/extra-typings';
import type { AgentView } from '../../shared/api/views.ts';
import { listAllAgents } from '../client/read.ts';
import type { Cli, Example } from '../command.ts';
import { type CellLike, tableLines } from '../output/table.ts';
import { formatMb, formatMilli, formatSpan } from '../output/words.ts';

export const examples: readonly Example[] = [
  ['borealis agent list', 'every agent with what is free of what it has'],
  ['borealis agent list --pool gpu --json', 'one pool, for programs'],
];
export const exits = [6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Agents with what is free of what they have.')
    .option('--pool <name>', 'only this pool')
    .option('--json', 'print {"agents":[...]}')
    .action(async (options, self) => {
      const session = cli.session(self);
      const agents = await listAllAgents(session.client, { pool: options.pool, signal: cli.io.signal });
      if (options.json) return session.out.json({ agents });
      if (session.quiet) {
        for (const { agentId } of agents) session.out.data(agentId);
        return;
      }
      if (agents.length === 0) {
        return session.out.say('no agents. Start one on this machine with `borealis agent run`');
      }
      const headers = [
        'AGENT',
        'HOST',
        'POOL',
        'MODE',
        'TASKS',
        'CPU FREE',
        'MEMORY FREE',
        'DISK FREE',
        'GPU FREE',
        'SEEN',
      ];
      const now = Date.now();
      const rows = agents.map((agent) => row(agent, now));
      for (const line of tableLines(headers, rows, session.out.paint)) session.out.data(line);
    });
}

function row(agent: AgentView, now: number): CellLike[] {
  const { capacity, free } = agent;
  const gpuFree = free.gpuMilli.reduce((sum, milli) => sum + milli, 0);
  return [
    agent.agentId,
    agent.host,
    agent.pool,
    agent.mode === 'NONE' ? { text: 'in use' } : { text: agent.mode, format: 'yellow' },
    agent.tasks.length,
    `${formatMilli(free.cpuMilli)} of ${formatMilli(capacity.cpuMilli)}`,
    `${formatMb(free.ramMb)} of ${formatMb(capacity.ramMb)}`,
    `${formatMb(free.diskMb)} of ${formatMb(capacity.diskMb)}`,
    capacity.gpus.length === 0 ? '-' : `${formatMilli(gpuFree)} of ${capacity.gpus.length}`,
    agent.lastSeenAt === null ? 'never' : `${formatSpan(now - Date.parse(agent.lastSeenAt))} ago`,
  ];
}
