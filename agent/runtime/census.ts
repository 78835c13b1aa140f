// Finds every process of one task, also those that left their session or lost their parent: by the sessions the
// runner started, and by the task id every process inherits in its environment.
import type { ProcessEntry } from './procfs.ts';
import { hasInEnvironment, hasProcfs, listProcesses, readProcess, sendSignal } from './procfs.ts';
import type { ProcessIdentity } from './spec.ts';

/** Name of the environment variable that marks the processes of a task. */
export const taskIdVariable = 'BOREALIS_TASK_ID';

export class TaskCensus {
  readonly #mark: string;
  readonly #sessions = new Map<number, ProcessIdentity>();
  /** pid -> start time of processes whose environment was seen to have the mark. */
  #marked = new Map<number, number>();

  constructor(taskId: string) {
    this.#mark = `${taskIdVariable}=${taskId}`;
  }

  /** Adds a session started for the task; its leader has the session's number as pid. */
  addSession(leader: ProcessIdentity): void {
    this.#sessions.set(leader.pid, leader);
  }

  /** The live processes of the task. */
  members(): ProcessEntry[] {
    const marked = new Map<number, number>();
    const members = listProcesses().filter((entry) => {
      if (entry.pid === process.pid) return false;
      // Only a positive answer is kept: a process between fork and exec still shows its parent's environment.
      const isMarked =
        this.#marked.get(entry.pid) === entry.startTicks || hasInEnvironment(entry.pid, this.#mark);
      if (isMarked) marked.set(entry.pid, entry.startTicks);
      return isMarked || this.#isInSession(entry);
    });
    this.#marked = marked;
    return members;
  }

  /** True if no process of the task is left. */
  isEmpty(): boolean {
    if (hasProcfs) return this.members().length === 0;
    return ![...this.#sessions.keys()].some((leader) => sendSignal(-leader, 0));
  }

  /** Signals every member and every group of a member; returns how many processes were found. */
  signal(signal: NodeJS.Signals): number {
    if (!hasProcfs) return this.#signalGroups(signal);
    const members = this.members();
    const groups = new Set(members.map((entry) => entry.group));
    const own = new Set(members.map((entry) => entry.pid));
    // A group is signalled as one only if its leader is ours: groups of strangers can't hold our processes otherwise.
    for (const group of groups) if (own.has(group)) sendSignal(-group, signal);
    for (const entry of members) if (!own.has(entry.group)) sendSignal(entry.pid, signal);
    return members.length;
  }

  #signalGroups(signal: NodeJS.Signals): number {
    let found = 0;
    for (const leader of this.#sessions.keys()) if (sendSignal(-leader, signal)) found++;
    return found;
  }

  #isInSession(entry: ProcessEntry): boolean {
    const leader = this.#sessions.get(entry.session);
    if (!leader) return false;
    // A pid is not reused while a session of that number has members, so a member that is not our leader can only be
    // of a later session if that session's own leader is alive and younger.
    const present = readProcess(leader.pid);
    return present === undefined || present.startTicks === leader.startTicks;
  }
}

/** SIGKILLs everything in the census until nothing is left or the time is up; true if nothing is left. */
export async function killAll(census: TaskCensus, withinMs: number): Promise<boolean> {
  const until = Date.now() + withinMs;
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 200)) {
    if (census.signal('SIGKILL') === 0) return true;
    if (Date.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
