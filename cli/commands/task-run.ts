// borealis task run: a command in the sandbox of each live task, here or over ssh.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import type { Command } from '@commander-js/extra-typings';
import { taskPaths } from '../../agent/runtime/layout.ts';
import type { AgentView, TaskView } from '../../shared/api/views.ts';
import { renderAgentTemplate } from '../../shared/config/agent-template.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { liveTasks, readJobAndTasks } from '../client/tasks.ts';
import type { Cli, Example } from '../command.ts';
import { repeatable } from '../job-file.ts';
import type { Session } from '../session.ts';

export const examples: readonly Example[] = [
  ["borealis task run local/demo/devel/hello-service 'ls -l; du -sh .'", 'in every live sandbox'],
  [
    "borealis task run local/demo/devel/hello-service/0 'curl -s localhost:{{borealis.ports[health]}}/health'",
    'with the port of instance 0',
  ],
  [
    "borealis task run prod/www/prod/web 'tail -1 .logs/web/0/stdout' -t 10 -l deploy",
    'ten at a time over ssh',
  ],
];
export const exits = [3, 4, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Run a shell command in the sandbox of each live task: directly when the sandbox is on this machine, else over ssh to the host. Lines are prefixed with instance and host. Exits 4 if it failed anywhere.',
    )
    .argument('<key>', 'cluster/role/environment/name[/INSTANCES]')
    .argument(
      '<command>',
      'for /bin/bash -c; {{borealis.instance}}, {{borealis.ports[x]}} and so on are filled in',
    )
    .option('-t, --threads <n>', 'so many at a time', '1')
    .option('-l, --ssh-user <name>', 'user to log in as')
    .option('--ssh-option <option>', 'passed to ssh; may be repeated', repeatable)
    .action(async (text, line, options, self) => {
      const session = cli.session(self);
      const { detail, instances } = await readJobAndTasks(session, text);
      const tasks = liveTasks(detail, instances);
      if (tasks.length === 0) throw new BorealisError('NOT_FOUND', `no task of ${text} is on an agent now.`);
      const threads = /^[1-9]\d{0,2}$/.test(options.threads) ? Number(options.threads) : undefined;
      if (threads === undefined) {
        throw new BorealisError(
          'INVALID_REQUEST',
          `--threads "${options.threads}" is not a number from 1 to 999.`,
        );
      }
      const waiting = [...tasks];
      let failures = 0;
      const worker = async (): Promise<void> => {
        for (let task = waiting.shift(); task; task = waiting.shift()) {
          const code = await runInTask(session, task, line, {
            user: options.sshUser,
            ssh: options.sshOption ?? [],
          });
          if (code !== 0) failures += 1;
        }
      };
      await Promise.all(Array.from({ length: threads }, worker));
      if (failures > 0) {
        throw new BorealisError(
          'COMMAND_FAILED',
          `the command failed in ${failures} of ${tasks.length} tasks.`,
        );
      }
    });
}

interface SshOptions {
  readonly user: string | undefined;
  readonly ssh: readonly string[];
}

/** Runs the command for one task and answers its exit code. */
async function runInTask(
  session: Session,
  task: TaskView,
  line: string,
  options: SshOptions,
): Promise<number> {
  const agent = await session.client.call('getAgent', {
    params: { agentId: task.agentId ?? '' },
    signal: session.io.signal,
  });
  const sandbox = sandboxOf(agent, task);
  const rendered = renderAgentTemplate(line, {
    instance: task.instance,
    hostname: agent.host,
    taskId: task.taskId,
    ports: task.grant?.ports ?? {},
  });
  const here = existsSync(sandbox);
  if (!here && agent.host === hostname()) {
    throw new BorealisError(
      'NOT_FOUND',
      `the sandbox ${sandbox} of instance ${task.instance} does not exist.`,
    );
  }
  const [program, args] = here
    ? ['/bin/bash', ['-c', rendered]]
    : ['ssh', sshArguments(agent.host, `cd ${quote(sandbox)} && ${rendered}`, options)];
  const child = spawn(program as string, args as string[], {
    ...(here && { cwd: sandbox, env: { ...process.env, HOME: sandbox } }),
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: session.io.signal,
  });
  const prefix = `${task.instance} ${agent.host}: `;
  createInterface({ input: child.stdout }).on(
    'line',
    (text) => void session.io.stdout.write(`${prefix}${text}\n`),
  );
  createInterface({ input: child.stderr }).on(
    'line',
    (text) => void session.io.stderr.write(`${prefix}${text}\n`),
  );
  return new Promise((resolve, reject) => {
    child.on('error', (cause) =>
      reject(new BorealisError('COMMAND_FAILED', `cannot run ${program}: ${cause.message}.`, { cause })),
    );
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Agents started by `agent run` say where their work directory is. */
function sandboxOf(agent: AgentView, task: TaskView): string {
  const [workDir] = agent.attributes['work-dir'] ?? [];
  if (workDir !== undefined) return taskPaths(workDir, task.taskId).sandbox;
  throw new BorealisError('NOT_FOUND', `agent ${agent.agentId} does not say where its sandboxes are.`);
}

function sshArguments(host: string, line: string, options: SshOptions): string[] {
  const given = options.ssh.flatMap((option) => ['-o', option]);
  return [...given, ...(options.user === undefined ? [] : ['-l', options.user]), '--', host, line];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
