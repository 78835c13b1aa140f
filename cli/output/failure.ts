// A failure as a person sees it on stderr: the code, what failed, what is unchanged, what next, the request id.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Paint } from './style.ts';

/** Lines for stderr; `verbose` adds causes and stacks. */
export function failureLines(error: unknown, paint: Paint, verbose: boolean): string[] {
  const mark = paint('red', 'error:');
  if (!(error instanceof BorealisError)) {
    const message = error instanceof Error ? error.message : String(error);
    const lines = [`${mark} INTERNAL: unexpected: ${message}`];
    return verbose ? [...lines, ...causeLines(error)] : [...lines, '  run again with --verbose to see where'];
  }
  const lines = [`${mark} ${error.code}: ${error.message}`];
  const { requestId } = error.details;
  if (typeof requestId === 'string') lines.push(`  request id: ${requestId}`);
  return verbose ? [...lines, ...causeLines(error)] : lines;
}

function causeLines(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const own = (error.stack ?? error.message).split('\n').map((line) => `  ${line}`);
  return error.cause === undefined ? own : [...own, '  caused by:', ...causeLines(error.cause)];
}

/** The exit code of a failure. */
export function exitCodeOf(error: unknown): number {
  return error instanceof BorealisError ? error.exitCode : 20;
}
