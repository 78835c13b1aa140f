// The environment of a task's processes: Aurora's four variables, and Borealis' own extras under BOREALIS_
// (spec/executor.md section 4). Nothing of the agent's environment is inherited but PATH.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { taskIdVariable } from '../runtime/census.ts';
import type { RunnerSpec } from '../runtime/spec.ts';

/** Variables that are the same for every process of a task. */
export function taskEnvironment(spec: RunnerSpec, sandbox: string, user: string): Record<string, string> {
  const { launch, settings } = spec;
  const environment: Record<string, string> = {
    HOME: sandbox,
    LOGNAME: user,
    USER: user,
    PATH: settings.path,
    // The mark by which a process that left its session is still found.
    [taskIdVariable]: launch.taskId,
    BOREALIS_INSTANCE: String(launch.instance),
  };
  for (const [name, port] of Object.entries(launch.grant.ports)) {
    environment[`BOREALIS_PORT_${name.toUpperCase().replaceAll('-', '_')}`] = String(port);
  }
  if (launch.grant.gpus.length > 0) {
    environment.CUDA_VISIBLE_DEVICES = launch.grant.gpus.map(([device]) => device).join(',');
  }
  return environment;
}

/** Adds BASH_ENV while the sandbox has a `.thermos_profile`; looked up at every start since a process may write it. */
export function withProfile(environment: Record<string, string>, sandbox: string): Record<string, string> {
  const profile = join(sandbox, '.thermos_profile');
  return existsSync(profile) ? { ...environment, BASH_ENV: profile } : environment;
}
