// Users for the tasks of roles that have none of their own: each such role gets an account of the machine to itself, so
// that two roles are never one user. What was given is kept in the work directory, for files outlive the agent.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { findUser } from '../runner/sandbox.ts';
import { replaceFile } from './task-folder.ts';

/** Lowest and highest uid of tasks on machines of the stack (infra/agent-machine: install.sh, guard-metadata.sh). */
export const taskUids = [20_000, 29_999] as const;

/** Accounts of the machine that are there for tasks. */
export interface TaskAccounts {
  /** Handed out to roles without a user of their own. */
  readonly names: readonly string[];
  /**
   * Lowest and highest uid of a user that a role may have by its name; accounts of people and of the system are outside,
   * so that a role called like one does not become it.
   */
  readonly roleUids: readonly [number, number];
}

export class TaskUsers {
  readonly #path: string;
  readonly #accounts: TaskAccounts;
  readonly #uidOf: (name: string) => number | undefined;
  readonly #given = new Map<string, string>();

  /** Reads what was given before. `uidOf` is replaced in tests. */
  constructor(
    workDir: string,
    accounts: TaskAccounts,
    uidOf: (name: string) => number | undefined = (name) => findUser(name)?.uid,
  ) {
    this.#path = join(workDir, 'users.json');
    this.#accounts = accounts;
    this.#uidOf = uidOf;
    for (const [role, name] of Object.entries(readGiven(this.#path))) {
      if (accounts.names.includes(name)) this.#given.set(role, name);
    }
  }

  /**
   * The user of a role's tasks. `rolesHere`: roles that have a folder of a task on this machine; the account of any other
   * may go to somebody else when there is none left. Throws if there is none even then.
   */
  userFor(role: string, rolesHere: ReadonlySet<string>): string {
    const given = this.#given.get(role);
    if (given !== undefined) return given;
    if (this.#hasOwn(role)) return role;
    const name = this.#freeName() ?? this.#takeBack(rolesHere);
    if (name === undefined) {
      throw new Error(
        `the tasks of ${this.#given.size} roles without a user of their own lie on this machine, and there are no more accounts; ` +
          `give role ${role} a user (borealis:taskUsers) or wait until files of ended tasks are removed`,
      );
    }
    this.#given.set(role, name);
    // Before any task runs: an account must not be given to another role after a restart.
    replaceFile(this.#path, JSON.stringify(Object.fromEntries(this.#given)));
    return name;
  }

  #hasOwn(role: string): boolean {
    if (this.#accounts.names.includes(role)) return false;
    const uid = this.#uidOf(role);
    const [low, high] = this.#accounts.roleUids;
    return uid !== undefined && uid >= low && uid <= high;
  }

  #freeName(): string | undefined {
    const taken = new Set(this.#given.values());
    return this.#accounts.names.find((name) => !taken.has(name));
  }

  #takeBack(rolesHere: ReadonlySet<string>): string | undefined {
    for (const [role, name] of this.#given) {
      if (rolesHere.has(role)) continue;
      this.#given.delete(role);
      return name;
    }
    return undefined;
  }
}

function readGiven(path: string): Record<string, string> {
  if (!fs.existsSync(path)) return {};
  // Unreadable: better no task of such a role than two roles with one user.
  return JSON.parse(fs.readFileSync(path, 'utf8')) as Record<string, string>;
}

/** The accounts `prefix-0`, `prefix-1` ... of this machine (install.sh makes them). */
export function accountsCalled(prefix: string, passwd = '/etc/passwd'): string[] {
  const text = fs.existsSync(passwd) ? fs.readFileSync(passwd, 'utf8') : '';
  const names = text.split('\n').map((line) => line.split(':', 1)[0] ?? '');
  return names.filter((name) => name.startsWith(`${prefix}-`) && /^\d+$/.test(name.slice(prefix.length + 1)));
}
