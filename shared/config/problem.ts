// What is wrong with a job file or a submission, as data, and how a person reads it: place, message, what to do, and the
// line itself with a mark under the spot.
import { BorealisError } from '../lib/errors.ts';

/** Keys and list indexes from the top of the document (or submission) to the value. */
export type ConfigPath = readonly (string | number)[];

/** One thing that is wrong, wherever the config came from. */
export interface ConfigProblem {
  readonly path: ConfigPath;
  readonly message: string;
  /** What the author can do about it. */
  readonly hint?: string;
}

/** A problem with its place in a file; line and column count from 1, and are absent where a program computed the value. */
export interface FileProblem extends ConfigProblem {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** By line and column, those without a place first. */
export function inFileOrder(problems: readonly FileProblem[]): FileProblem[] {
  return problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}

/** `jobs[0].task.processes[1].cmdline`; keys that are not plain words are quoted in brackets. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(key)) text += text === '' ? key : `.${key}`;
    else text += `[${JSON.stringify(key)}]`;
  }
  return text;
}

/** Longest part of a source line shown in a frame, characters. */
const frameWidth = 100;

function codeFrame(source: string | undefined, problem: FileProblem): string[] {
  if (source === undefined || problem.line === undefined || problem.column === undefined) return [];
  const line = (source.split('\n', problem.line)[problem.line - 1] ?? '').replace(/\r$/, '');
  // A very long line is cut around the spot so that the mark stays in view.
  const from = problem.column > frameWidth ? problem.column - frameWidth / 2 : 0;
  const shown = line.slice(from, from + frameWidth).replaceAll('\t', ' ');
  const gutter = String(problem.line).padStart(5);
  return [`${gutter} | ${shown}`, `${' '.repeat(gutter.length)} | ${' '.repeat(problem.column - 1 - from)}^`];
}

/** `file:line:column path`, message, hint and the marked line of one problem. */
function formatProblem(problem: FileProblem, source?: string): string {
  const place =
    problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`;
  const path = formatPath(problem.path);
  const lines = [`${place}${path === '' ? '' : `  ${path}`}`, `  ${problem.message}`];
  if (problem.hint !== undefined) lines.push(`  ${problem.hint}`);
  return [...lines, ...codeFrame(source, problem)].join('\n');
}

/** Problems spelled out in the message; the rest is counted, and all are in `details.problems`. */
const maxShown = 20;

/** INVALID_CONFIG with every problem of a file in `details.problems` and a message to print as it is. */
export function jobFileError(
  file: string,
  problems: readonly FileProblem[],
  options: { readonly source?: string; readonly cause?: unknown } = {},
): BorealisError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const shown = problems.slice(0, maxShown).map((problem) => formatProblem(problem, options.source));
  if (problems.length > maxShown) shown.push(`... and ${problems.length - maxShown} more`);
  return new BorealisError(
    'INVALID_CONFIG',
    `${file} has ${count}; nothing was submitted.\n\n${shown.join('\n\n')}`,
    { details: { file, problems }, ...(options.cause === undefined ? {} : { cause: options.cause }) },
  );
}

/** INVALID_CONFIG for a submission that did not come from a file (the API server's refusal). */
export function submissionError(problems: readonly ConfigProblem[]): BorealisError {
  const lines = problems.slice(0, maxShown).map((problem) => {
    const hint = problem.hint === undefined ? '' : ` (${problem.hint})`;
    return `${formatPath(problem.path)}: ${problem.message}${hint}`;
  });
  if (problems.length > maxShown) lines.push(`... and ${problems.length - maxShown} more`);
  return new BorealisError(
    'INVALID_CONFIG',
    `The job is refused and nothing is stored: ${lines.join('; ')}`,
    {
      details: { problems },
    },
  );
}
