// Every command of the CLI with its summary. A command's own module is loaded only when it is run or its help is asked
// for, so that `borealis job status` doesn't pay for the embedded stack.
import type { CommandModule } from './command.ts';

export interface CatalogueEntry {
  /** `group name`, or `name` for a command outside groups. */
  readonly path: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

export const groups: Readonly<Record<string, string>> = {
  job: 'Submit, look at and change jobs',
  update: 'Change running services batch by batch',
  task: 'Look into running tasks',
  agent: 'The machines that run tasks',
  local: 'The whole system on this machine',
};

export const catalogue: readonly CatalogueEntry[] = [
  entry('job create', 'Submit a job from a file', () => import('./commands/job-create.ts')),
  entry('job status', 'Jobs with their tasks and history', () => import('./commands/job-status.ts')),
  entry('job list', 'Jobs by pattern', () => import('./commands/job-list.ts')),
  entry('job inspect', 'What a job file says, without sending it', () => import('./commands/job-inspect.ts')),
  entry('job diff', 'What a job file would change', () => import('./commands/job-diff.ts')),
  entry('job why', 'Why tasks wait, in words and numbers', () => import('./commands/job-why.ts')),
  entry('job add', 'Add instances like an existing one', () => import('./commands/job-add.ts')),
  entry('job shrink', 'Take instances of a service away', () => import('./commands/job-shrink.ts')),
  entry('job restart', 'End and replace running instances', () => import('./commands/job-restart.ts')),
  entry('job kill', 'End some instances for good', () => import('./commands/job-kill.ts')),
  entry('job killall', 'End every instance of a job', () => import('./commands/job-killall.ts')),
  entry('update start', 'Take a service to what a file says', () => import('./commands/update-start.ts')),
  entry('update plan', 'What `update start` would do', () => import('./commands/update-plan.ts')),
  entry('update pause', 'Stop an update where it is', () => import('./commands/update-pause.ts')),
  entry('update resume', 'Let a paused update go on', () => import('./commands/update-resume.ts')),
  entry('update abort', 'Give an update up', () => import('./commands/update-abort.ts')),
  entry(
    'update rollback',
    'Put back what an update has changed',
    () => import('./commands/update-rollback.ts'),
  ),
  entry('update pulse', 'Say that all is well', () => import('./commands/update-pulse.ts')),
  entry('update list', 'Updates by pattern', () => import('./commands/update-list.ts')),
  entry('update info', 'One update with its progress', () => import('./commands/update-info.ts')),
  entry('update wait', 'Follow an update to its end', () => import('./commands/update-wait.ts')),
  entry('task logs', 'Output of the processes of a task', () => import('./commands/task-logs.ts')),
  entry('task run', 'Run a command in the sandbox of each task', () => import('./commands/task-run.ts')),
  entry('agent list', 'Agents with what is free', () => import('./commands/agent-list.ts')),
  entry('agent status', 'One agent and its tasks', () => import('./commands/agent-status.ts')),
  entry('agent rebind', 'Hand an agent id to another identity', () => import('./commands/agent-rebind.ts')),
  entry('agent drain', 'Empty agents before maintenance', () => import('./commands/agent-drain.ts')),
  entry('agent forget', 'Take lost agents off the list', () => import('./commands/agent-forget.ts')),
  entry('agent undrain', 'Take agents back into use', () => import('./commands/agent-undrain.ts')),
  entry('agent run', 'Be an agent: run tasks on this machine', () => import('./commands/agent-run.ts')),
  entry('local up', 'Start the control plane on this machine', () => import('./commands/local-up.ts')),
  entry('doctor', 'Check an installation and say what to do', () => import('./commands/doctor.ts')),
  entry('cost', 'What an installation costs a month', () => import('./commands/cost.ts')),
  entry('replay', 'Put a real cluster trace through the system', () => import('./commands/replay.ts')),
  entry('completion', 'Tab completion for bash, zsh, fish and PowerShell', () => import('./completion.ts')),
  entry('version', 'Versions, and which API is used and why', () => import('./commands/version.ts')),
];

function entry(path: string, summary: string, load: () => Promise<CommandModule>): CatalogueEntry {
  return { path, summary, load };
}
