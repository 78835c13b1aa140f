// borealis local up: the whole control plane on this machine, with agents if asked, until Ctrl-C.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import { aborted, type Cli, type Example } from '../command.ts';
import { count } from '../output/words.ts';

export const examples: readonly Example[] = [
  ['borealis local up --agents 2', 'control plane and two agents, gone after Ctrl-C'],
  ['borealis local up --data ./state --port 9000', 'keep jobs and tasks across restarts'],
];
export const exits = [3, 4, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Start the control plane on this machine (127.0.0.1 only) and stay until Ctrl-C.')
    .option('--port <n>', 'port of the HTTP API; 0 = any free one', '8081')
    .option('--data <dir>', 'keep the state here; default: in memory, gone at the end')
    .option('--agents <n>', 'also start so many agents on this machine', '0')
    .option('--cluster <name>', 'name of the cluster, first part of job keys', 'local')
    .action(async (options, self) => {
      const session = cli.session(self);
      const port = wholeNumber('--port', options.port, 65_535);
      const agents = wholeNumber('--agents', options.agents, 64);
      const { startFleet } = await import('../local/fleet.ts');
      const { startLocalStack } = await import('../../local/stack.ts');
      const startedAt = performance.now();
      const stack = await startLocalStack({
        port,
        cluster: options.cluster,
        ...(options.data !== undefined && { dataDir: options.data }),
        log: session.out.trace,
      });
      const fleet = startFleet({ stack, count: agents, workDir: options.data, log: session.out.trace });
      try {
        session.out.data(stack.apiUrl);
        const ready = `ready in ${Math.round(performance.now() - startedAt)} ms`;
        session.out.say(`cluster ${stack.cluster} with ${count(agents, 'agent')}, ${ready}; Ctrl-C stops it`);
        if (stack.apiUrl !== 'http://127.0.0.1:8081')
          session.out.say(`  export BOREALIS_API=${stack.apiUrl}`);
        if (agents === 0) session.out.say('  next: borealis agent run');
        await Promise.race([aborted(cli.io.signal), fleet.failed]);
        session.out.say('stopping');
      } finally {
        await fleet.stop();
        await stack.stop();
      }
    });
}

function wholeNumber(option: string, text: string, most: number): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= most) return Number(text);
  throw new BorealisError(
    'INVALID_REQUEST',
    `${option} "${text}" is not a whole number from 0 to ${most}; nothing was started.`,
  );
}
