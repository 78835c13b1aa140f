// Makes the sandbox of a task and finds the user its processes run as (spec/executor.md sections 1, 4, 5).
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { userInfo } from 'node:os';

/** Who a task's processes are; uid and gid only when they differ from the runner's own. */
export interface TaskUser {
  readonly name: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** The role's user when the runner is root and asked for it, else `taskUser`, else its own; throws if there is none. */
export function userOf(
  role: string,
  { runAsRole, taskUser }: { readonly runAsRole: boolean; readonly taskUser?: string },
): TaskUser {
  if (!runAsRole || process.getuid?.() !== 0) return { name: userInfo().username };
  const names = [role, ...(taskUser === undefined ? [] : [taskUser])];
  const user = names.map(findUser).find((found) => found !== undefined);
  if (user === undefined) throw new Error(`user ${names.join(' or ')} does not exist on this machine`);
  // A role that happens to be called like an account of the system must not get its rights.
  if (user.uid === 0) throw new Error(`tasks of role ${role} would run as root`);
  return user;
}

function findUser(name: string): Required<TaskUser> | undefined {
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
