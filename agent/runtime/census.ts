// Finds every process of one task, also those that left their session or lost their parent: by the sessions the
// runner started, and by the task id every process inherits in its environment.
import type { ProcessEntry } from './procfs.ts';
import {
  childrenOf,
  hasInEnvironment,
  hasProcfs,
  listProcesses,
  readProcess,
  realUidOf,
  sendSignal,
} from './procfs.ts';
import type { ProcessIdentity } from './spec.ts';

/** Name of the environment variable that marks the processes of a task. */
export const taskIdVariable = 'BOREALIS_TASK_ID';

/** What is known of a process from an earlier look at it. */
interface Sighting {
  readonly startTicks: number;
  readonly isMarked: boolean;
  readonly looks: number;
}

/** A process without the mark is believed on the second look: between fork and exec it shows its parent's variables. */
const looksToBelieve = 2;

export class TaskCensus {
  readonly #mark: string;
  readonly #uid: number | undefined;
  readonly #sessions = new Map<number, ProcessIdentity>();
  /** pid -> what was seen of it in the last full look. */
  #seen = new Map<number, Sighting>();
  #members: readonly ProcessEntry[] = [];

  /**
   * `uid`: the task's user, if tasks have different ones. A mark is only believed of that user (and of root, which the
   * task may have become by a program that lets it): anybody can wear it, and what a stranger uses must not be counted.
   */
  constructor(taskId: string, uid?: number) {
    this.#mark = `${taskIdVariable}=${taskId}`;
    this.#uid = uid;
  }

  /** Adds a session started for the task; its leader, alive by now, has the session's number as pid. */
  addSession(leader: ProcessIdentity): void {
    this.#sessions.set(leader.pid, leader);
  }

  /**
   * The live processes of the task. To be called soon after the leader of a session has ended: a session found empty
   * then is forgotten, so that a stranger who gets its number later is never taken for ours.
   */
  members(): ProcessEntry[] {
    const seen = new Map<number, Sighting>();
    const all = listProcesses();
    const members = all.filter((entry) => {
      if (entry.pid === process.pid) return false;
      const sighting = this.#lookAt(entry);
      seen.set(entry.pid, sighting);
      return sighting.isMarked || this.#isInSession(entry);
    });
    const alive = new Set(members.map((entry) => entry.session));
    for (const session of this.#sessions.keys()) if (!alive.has(session)) this.#sessions.delete(session);
    this.#seen = seen;
    this.#members = members;
    return members;
  }

  /**
   * The members of the last full look that live, and what they have started since. Much cheaper than `members` on a
   * busy machine; misses who left their parent in between.
   */
  nearMembers(): ProcessEntry[] {
    const found = new Map<number, ProcessEntry>();
    const open = [...this.#sessions.keys(), ...this.#members.map((entry) => entry.pid)];
    const known = new Map(this.#members.map((entry) => [entry.pid, entry.startTicks]));
    for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
      const entry = found.has(pid) ? undefined : readProcess(pid);
      const startTicks = known.get(pid) ?? this.#sessions.get(pid)?.startTicks;
      if (!entry || (startTicks !== undefined && startTicks !== entry.startTicks)) continue;
      found.set(pid, entry);
      open.push(...childrenOf(pid));
    }
    return [...found.values()];
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

  #lookAt(entry: ProcessEntry): Sighting {
    const before = this.#seen.get(entry.pid);
    const isSame = before?.startTicks === entry.startTicks;
    if (before && isSame && (before.isMarked || before.looks >= looksToBelieve)) return before;
    const isMarked = hasInEnvironment(entry.pid, this.#mark) && this.#isOfUser(entry.pid);
    return { startTicks: entry.startTicks, isMarked, looks: isSame && before ? before.looks + 1 : 1 };
  }

  #isOfUser(pid: number): boolean {
    if (this.#uid === undefined) return true;
    const uid = realUidOf(pid);
    return uid === this.#uid || uid === 0;
  }

  #signalGroups(signal: NodeJS.Signals): number {
    let found = 0;
    for (const leader of this.#sessions.keys()) if (sendSignal(-leader, signal)) found++;
    return found;
  }

  #isInSession(entry: ProcessEntry): boolean {
    const leader = this.#sessions.get(entry.session);
    if (!leader) return false;
    // The number of a session is not given away while it has members; if it was, its new leader is younger.
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
