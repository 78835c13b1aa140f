import { describe, expect, it } from 'vitest';
import { diskMessage, outcomeOfExit, statusOfDeadRunner } from '../../../agent/executor/exit-status.ts';

describe('the exit to state table', () => {
  it.each([
    [102, 'FAILED', 'Could not deserialize task.'],
    [101, 'LOST', 'Runner died while task was active.'],
    [103, 'LOST', 'Runner died while task was active.'],
    [0, 'LOST', 'Runner died while task was active.'],
    [undefined, 'LOST', 'Runner died while task was active.'],
  ])('a runner that left no result and exited %s', (code, state, message) => {
    expect(statusOfDeadRunner(code)).toEqual({ state, message });
  });

  it.each([
    [0, null, 'success'],
    [1, null, 'failed'],
    [143, null, 'failed'],
    [null, 'SIGTERM', 'killed'],
    [null, 'SIGSEGV', 'killed'],
  ])('a process that ended with code %s, signal %s', (code, signal, outcome) => {
    expect(outcomeOfExit(code, signal)).toBe(outcome);
  });

  it('words the disk limit as Aurora does', () => {
    expect(diskMessage(10, 20)).toBe('Disk limit exceeded.  Reserved 10 bytes vs used 20 bytes.');
  });
});
