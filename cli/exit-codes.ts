// What each exit code means: one table for the help, the reference and the tests (spec/client-and-ui.md section 2).
import { type ErrorCode, errorCodes } from '../shared/lib/errors.ts';

export const exitMeanings = {
  0: 'done',
  1: '`job diff --exit-code`, `update plan`, `--plan`: there are changes to what is stored',
  2: 'the command line is wrong: unknown command or option, missing argument',
  3: 'the job file is not valid, or the key names another cluster',
  4: 'the command failed: refused, or what was waited for did not happen (an update was rolled back)',
  5: 'this Node is too old to run borealis',
  6: 'a parameter is not valid, or what it names does not exist',
  7: 'the API, an agent or the network is not reachable; trying again may help',
  9: 'time-out: what was asked is recorded and goes on, but did not end within the time given',
  10: 'the API refused for now (too many requests)',
  20: 'unexpected error, or the update that was waited for ended ABORTED, FAILED or ERROR',
  30: 'not permitted',
  130: 'interrupted (Ctrl-C)',
} as const;
export type ExitCode = keyof typeof exitMeanings;

/** The error codes of the API that lead to this exit code. */
export function errorCodesOf(exitCode: number): ErrorCode[] {
  return (Object.keys(errorCodes) as ErrorCode[]).filter((code) => errorCodes[code].exitCode === exitCode);
}
