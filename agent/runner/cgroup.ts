// A cgroup v2 per task, where the agent was given (or found) a folder to make it in: the kernel then limits memory,
// shares cpu and bounds the number of processes. Elsewhere memory is polled.
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import type { Resources } from '../../shared/model/resources.ts';

/** Processes and threads of one task; a bound against fork bombs, not a resource users ask for. */
const maxPids = 16_384;
const mib = 1024 * 1024;

export class TaskCgroup {
  readonly #dir: string;
  readonly #homeProcs: string | undefined;

  /** Makes the group with its limits; throws if that is not possible. */
  constructor(
    parent: string,
    taskDir: string,
    resources: Pick<Resources, 'cpuMilli' | 'ramMb'>,
    home: string | undefined,
  ) {
    this.#dir = cgroupDir(parent, taskDir);
    this.#homeProcs = home === undefined ? undefined : join(home, 'cgroup.procs');
    fs.mkdirSync(this.#dir, { recursive: true });
    this.#set('memory.max', String(resources.ramMb * mib));
    this.#trySet('memory.swap.max', '0');
    // The whole task ends, not the one process the kernel would pick.
    this.#trySet('memory.oom.group', '1');
    this.#trySet('cpu.weight', String(cpuWeight(resources.cpuMilli)));
    this.#trySet('pids.max', String(maxPids));
  }

  /**
   * Runs `start` with this runner inside the group, so that what it forks is born there: a process moved after its
   * start could have forked before the move.
   */
  inside<T>(start: () => T): T {
    this.#set('cgroup.procs', String(process.pid));
    try {
      return start();
    } finally {
      if (this.#homeProcs !== undefined) fs.writeFileSync(this.#homeProcs, String(process.pid));
    }
  }

  /** How many processes the kernel has killed for memory. */
  oomKills(): number {
    try {
      const events = fs.readFileSync(join(this.#dir, 'memory.events'), 'utf8');
      return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** Kills what is left and removes the group. */
  remove(): void {
    removeCgroup(this.#dir);
  }

  #set(file: string, value: string): void {
    fs.writeFileSync(join(this.#dir, file), value);
  }

  #trySet(file: string, value: string): void {
    try {
      this.#set(file, value);
    } catch {
      // The controller or the file is not there on this kernel.
    }
  }
}

/** Folder of a task's group. */
export function cgroupDir(parent: string, taskDir: string): string {
  return join(parent, basename(taskDir));
}

/** Kills what is in a group and removes it, if that can be done. */
export function removeCgroup(dir: string): void {
  try {
    fs.writeFileSync(join(dir, 'cgroup.kill'), '1');
    fs.rmdirSync(dir);
  } catch {
    // Gone, or still busy: an empty group costs nothing.
  }
}

/** cpu.weight of a share: 100 (the kernel's default) for one core, within the kernel's 1..10000. */
export function cpuWeight(cpuMilli: number): number {
  return Math.min(10_000, Math.max(1, Math.round(cpuMilli / 10)));
}

/** Folder of the cgroup v2 this process is in, or undefined where there is no cgroup v2. */
export function ownCgroup(): string | undefined {
  try {
    const path = /^0::(.*)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    const mount = cgroupMount();
    return path === undefined || mount === undefined ? undefined : join(mount, path);
  } catch {
    return undefined;
  }
}

/** Where cgroup v2 is mounted, or undefined. */
export function cgroupMount(): string | undefined {
  try {
    return /^\S+ (\S+) cgroup2 /m.exec(fs.readFileSync('/proc/mounts', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
