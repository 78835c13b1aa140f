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

/** The role's user when the runner is root and asked for it, else its own; throws if the role has no user. */
export function userOf(role: string, runAsRole: boolean): TaskUser {
  if (!runAsRole || process.getuid?.() !== 0) return { name: userInfo().username };
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, '--', role], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { name: role, uid: id('-u'), gid: id('-g') };
  } catch (error) {
    throw new Error(`user ${role} does not exist on this machine`, { cause: error });
  }
}

/** Makes the directory, mode 700, owned by the task's user. */
export function createSandbox(path: string, user: TaskUser): void {
  fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  fs.chmodSync(path, 0o700); // the umask may have taken bits away
  if (user.uid !== undefined && user.gid !== undefined) fs.chownSync(path, user.uid, user.gid);
}
