// A control plane in a folder, for agents in a process of their own: commands are lines of one file, reports of
// another, the level a third.
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentTransport, ReceivedCommand } from '../../../agent/transport.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import type { AgentCommand, AgentReport, DesiredTasks, TaskStatus } from '../../../shared/model/protocol.ts';

const lines = <T>(path: string): T[] =>
  (existsSync(path) ? readFileSync(path, 'utf8') : '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

/** The agent's side. */
export function fileTransport(dir: string): AgentTransport {
  const isDown = () => existsSync(join(dir, 'down'));
  return {
    send: async (report) => {
      if (isDown()) throw new BorealisError('UNAVAILABLE', 'down');
      appendFileSync(join(dir, 'reports'), `${JSON.stringify(report)}\n`);
    },
    receive: async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (isDown()) throw new BorealisError('UNAVAILABLE', 'down');
      const acknowledged = lines<number>(join(dir, 'acknowledged')).length;
      return lines<AgentCommand>(join(dir, 'commands'))
        .slice(acknowledged)
        .map<ReceivedCommand>((command) => ({
          command,
          ack: async () => appendFileSync(join(dir, 'acknowledged'), '1\n'),
        }));
    },
    desired: async () => {
      if (isDown()) throw new BorealisError('UNAVAILABLE', 'down');
      if (!existsSync(join(dir, 'level'))) throw new BorealisError('NOT_FOUND', 'unknown agent');
      const level = JSON.parse(readFileSync(join(dir, 'level'), 'utf8')) as DesiredTasks;
      return { ...level, asOf: Date.now() };
    },
  };
}

/** The test's side of the same folder. */
export function fileControl(dir: string) {
  return {
    command: (command: AgentCommand) => appendFileSync(join(dir, 'commands'), `${JSON.stringify(command)}\n`),
    setLevel: (level: DesiredTasks) => {
      writeFileSync(join(dir, 'level.new'), JSON.stringify(level));
      renameSync(join(dir, 'level.new'), join(dir, 'level'));
    },
    reports: () => lines<AgentReport>(join(dir, 'reports')),
    statusesOf: (taskId: string): TaskStatus[] =>
      lines<AgentReport>(join(dir, 'reports'))
        .flatMap((report) => (report.kind === 'status' ? report.statuses : []))
        .filter((status) => status.taskId === taskId),
  };
}
