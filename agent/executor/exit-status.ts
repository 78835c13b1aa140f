// How an end maps to a task state and message: one table for the runner's own result, one for a runner that ended
// without leaving a result (spec/executor.md section 2).

/** States a task can end in. */
export type EndState = 'FINISHED' | 'FAILED' | 'KILLED' | 'LOST';

/** Message of a task that ended by itself or by plain command, by end state. */
export const endMessages: Readonly<Record<EndState, string>> = {
  FINISHED: 'Task finished.',
  FAILED: 'Task failed.',
  KILLED: 'Task killed.',
  LOST: 'Task lost.',
};

export const killMessage = 'Instructed to kill task.';
export const shutdownMessage = 'Told to shut down executor.';
export const killedEarlyMessage = 'Task killed during initialization.';
const runnerDiedMessage = 'Runner died while task was active.';
export const memoryMessage = 'Task used more memory than requested.';

/** Exit codes of the runner process; 0 = the result is in the checkpoint. */
export const runnerExitCodes = {
  done: 0,
  internalError: 101,
  invalidTask: 102,
  /** Another runner has the task, or the checkpoint is already terminal. */
  notMine: 105,
} as const;

/** What to report for a runner that ended while its checkpoint shows no result. */
export function statusOfDeadRunner(exitCode: number | undefined): { state: EndState; message: string } {
  if (exitCode === runnerExitCodes.invalidTask) {
    return { state: 'FAILED', message: 'Could not deserialize task.' };
  }
  return { state: 'LOST', message: runnerDiedMessage };
}

/** How the end of one process run counts (spec/executor.md section 4): a signal is not a failure. */
export function outcomeOfExit(code: number | null, signal: string | null): 'success' | 'failed' | 'killed' {
  if (signal !== null) return 'killed';
  return code === 0 ? 'success' : 'failed';
}

/** Message of the disk limit; two blanks as in Aurora. */
export function diskMessage(reservedBytes: number, usedBytes: number): string {
  return `Disk limit exceeded.  Reserved ${reservedBytes} bytes vs used ${usedBytes} bytes.`;
}
