// Makes the sandbox of a task and finds the user its processes run as (spec/executor.md sections 1, 4, 5).
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { userInfo } from 'node:os';
import type { RunnerSettings } from '../runtime/spec.ts';

/** Who a task's processes are; uid and gid only when they differ from the runner's own. */
export interface TaskUser {
  readonly name: string;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * When the runner is root and asked for it, `user` if it was decided on, else the role's user, else `taskUser`; otherwise
 * the runner's own. Throws if there is none.
 */
export function userOf(
  role: string,
  { runAsRole, taskUser, user: decided }: Pick<RunnerSettings, 'runAsRole' | 'taskUser' | 'user'>,
): TaskUser {
  if (!runAsRole || process.getuid?.() !== 0) return { name: userInfo().username };
  const names = decided === undefined ? [role, ...(taskUser === undefined ? [] : [taskUser])] : [decided];
  const user = names.map(findUser).find((found) => found !== undefined);
  if (user === undefined) throw new Error(`user ${names.join(' or ')} does not exist on this machine`);
  // A role that happens to be called like an account of the system must not get its rights.
  if (user.uid === 0) throw new Error(`tasks of role ${role} would run as root`);
  return user;
}

/** An account of this machine; undefined if there is none of that name. */
export function findUser(name: string): Required<TaskUser> | undefined {
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, '--', name], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { name, uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/** Makes the directory, mode 700, owned by the task's user. */
export function createSandbox(path: string, user: TaskUser): void {
  fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  fs.chmodSync(path, 0o700); // the umask may have taken bits away
  if (user.uid !== undefined && user.gid !== undefined) fs.chownSync(path, user.uid, user.gid);
}
