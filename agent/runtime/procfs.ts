// What runs on this machine, read from /proc: identities that survive pid reuse, members of sessions, memory of a
// process. On systems without /proc (macOS) the answers degrade: identity is the pid alone and membership is unknown,
// so ends rely on process groups.
import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessIdentity } from './spec.ts';

/** One line of the process table. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly startTicks: number;
  readonly rssPages: number;
}

/** True where /proc tells about processes. */
export const hasProcfs = process.platform === 'linux';

/** Of this start of the machine: start times count from it. */
const bootId = hasProcfs ? readText('/proc/sys/kernel/random/boot_id')?.trim() : undefined;

/** The process with this pid, or undefined if there is none or it is only a zombie. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name may hold blanks and brackets; everything after the last bracket is regular.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  if (state === 'Z' || state === 'X') return undefined;
  const field = (number: number) => Number(fields[number - 3]);
  return {
    pid,
    parent: field(4),
    group: field(5),
    session: field(6),
    startTicks: field(22),
    rssPages: field(24),
  };
}

/** Identity of a live process, or undefined if it is gone. */
export function identify(pid: number): ProcessIdentity | undefined {
  if (!hasProcfs) return isSignalable(pid) ? { pid } : undefined;
  const entry = readProcess(pid);
  return entry && { pid, startTicks: entry.startTicks, ...(bootId && { bootId }) };
}

/** True while that very process lives: same pid and same start time. */
export function isSameAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  if (now === undefined || now.bootId !== identity.bootId) return false;
  return identity.startTicks === undefined || now.startTicks === identity.startTicks;
}

/** Every live process; empty without /proc. */
export function listProcesses(): ProcessEntry[] {
  if (!hasProcfs) return [];
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    const entry = readProcess(Number(name));
    if (entry) entries.push(entry);
  }
  return entries;
}

/** Children of a process's main thread; empty where the kernel doesn't tell. */
export function childrenOf(pid: number): number[] {
  const text = readText(`/proc/${pid}/task/${pid}/children`) ?? '';
  return text
    .split(' ')
    .filter((each) => each !== '')
    .map(Number);
}

/** True if the process was started with `NAME=value` in its environment (readable for own processes and root). */
export function hasInEnvironment(pid: number, assignment: string): boolean {
  const text = readText(`/proc/${pid}/environ`);
  return text !== undefined && (text.startsWith(`${assignment}\0`) || text.includes(`\0${assignment}\0`));
}

/** The real user of a process, or undefined if it is gone. */
export function realUidOf(pid: number): number | undefined {
  const match = /^Uid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? '');
  return match ? Number(match[1]) : undefined;
}

/** Proportional memory of a process in bytes (shared pages split among their users), else undefined. */
export function proportionalBytes(pid: number): number | undefined {
  const match = /^Pss:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/smaps_rollup`) ?? '');
  return match ? Number(match[1]) * 1024 : undefined;
}

/** Resident memory of a process in bytes; 0 if it is gone. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`) ?? '');
  return match ? Number(match[1]) * 1024 : 0;
}

/** Sends a signal to a process, or with a negative id to a group; false if there is nobody. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function isSignalable(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // gone meanwhile, or not ours to read
  }
}
