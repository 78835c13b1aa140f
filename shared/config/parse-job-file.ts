// A job file's text (or exported object) to submissions, without touching the disk. Every problem of the file comes in one
// error, with line and column, and nothing is returned unless all of what was asked for is right.
import { BorealisError } from '../lib/errors.ts';
import { illFormedText } from '../lib/well-formed.ts';
import type { JobSubmission } from '../model/job.ts';
import { type JobKey, jobPath } from '../model/job-key.ts';
import type { UpdateSettingsInput } from '../model/update.ts';
import { type Frame, newTemplateBudget } from './bindings.ts';
import type { SubmissionRules } from './check-submission.ts';
import { fileSchema } from './job-file.ts';
import { type ParsedJob, parseJob } from './parse-job.ts';
import { type ConfigPath, type FileProblem, formatPath, inFileOrder, jobFileError } from './problem.ts';
import { readText } from './read-yaml.ts';
import { bindingNameError, checkBindingNames } from './render-job.ts';
import { startOf, unknownField } from './schema-problems.ts';
import {
  childOf,
  describeValue,
  type MapNode,
  readObject,
  type SourceNode,
  type Span,
  type TreeProblem,
} from './source-tree.ts';

/** Largest job file, bytes. */
export const maxJobFileBytes = 1024 * 1024;

export interface JobFileOptions extends SubmissionRules {
  /** `--bind name=value` of the command line. */
  readonly bindings?: Readonly<Record<string, string>>;
  /** Take only this job; the others may then have problems of their own. */
  readonly key?: JobKey & { readonly cluster?: string };
}

export interface JobFile {
  readonly file: string;
  /** In file order; exactly one when a key was given. */
  readonly submissions: readonly JobSubmission[];
  /** How each of them says it is updated, in the same order. */
  readonly updates: readonly (UpdateSettingsInput | undefined)[];
}

/**
 * Parses YAML or JSON text. Throws INVALID_CONFIG with `details.problems: FileProblem[]` for whatever is wrong in it.
 */
export function parseJobFile(
  text: string,
  options: JobFileOptions & { readonly format: 'yaml' | 'json'; readonly fileName: string },
): JobFile {
  if (text.length > maxJobFileBytes) {
    const message = `the file is larger than ${maxJobFileBytes / 1024} KiB`;
    throw jobFileError(options.fileName, [
      { file: options.fileName, path: [], message, hint: 'split it: one file per job works too' },
    ]);
  }
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const { root, problems, placeOf } = readText(source, options.format);
  const report = new Report(options.fileName, source, placeOf);
  return select(readJobs(root, problems, options, report), options, report);
}

/** The same for the object a TypeScript or JavaScript file exports; problems carry the path but no line (loadJobFile looks it up). */
export function parseJobObject(
  value: unknown,
  options: JobFileOptions & { readonly fileName: string },
): JobFile {
  const { root, problems } = readObject(value);
  const report = new Report(options.fileName);
  return select(readJobs(root, problems, options, report), options, report);
}

/** Turns tree problems to file problems and to the one error. */
class Report {
  readonly file: string;
  readonly source: string | undefined;
  private readonly placeOf: ((offset: number) => { line: number; column: number }) | undefined;

  constructor(file: string, source?: string, placeOf?: (offset: number) => { line: number; column: number }) {
    this.file = file;
    this.source = source;
    this.placeOf = placeOf;
  }

  throwIfAny(problems: readonly TreeProblem[]): void {
    if (problems.length === 0) return;
    const placed = problems.map(
      ({ span, ...problem }): FileProblem => ({ file: this.file, ...problem, ...this.at(span) }),
    );
    throw jobFileError(
      this.file,
      inFileOrder(placed),
      this.source === undefined ? {} : { source: this.source },
    );
  }

  private at(span: Span | undefined): { line?: number; column?: number } {
    if (this.placeOf === undefined) return {};
    return this.placeOf(Math.min(span?.start ?? 0, this.source?.length ?? 0));
  }
}

interface FileShape {
  readonly jobs: readonly { readonly node: SourceNode; readonly path: ConfigPath }[];
  readonly bindings?: SourceNode;
  readonly problems: readonly TreeProblem[];
}

function readJobs(
  root: SourceNode | undefined,
  readProblems: readonly TreeProblem[],
  options: JobFileOptions,
  report: Report,
): ParsedJob[] {
  report.throwIfAny(readProblems);
  const shape = root === undefined ? { jobs: [], problems: [emptyFile()] } : shapeOf(root);
  const names = new Map<string, SourceNode>();
  const cliProblems: TreeProblem[] = [];
  for (const [name, value] of Object.entries(options.bindings ?? {})) {
    const error =
      bindingNameError(name) ?? (value.isWellFormed() ? undefined : `${name} is ${illFormedText}`);
    names.set(name, { kind: 'scalar', value });
    if (error !== undefined)
      cliProblems.push({ path: [], message: `--bind: ${error}`, hint: 'choose another name' });
  }
  report.throwIfAny(
    [...shape.problems, ...cliProblems].filter(
      ({ message }) => shape.jobs.length === 0 || message.startsWith('--bind'),
    ),
  );
  const cliBindings: Frame = { kind: 'bindings', names };
  const budget = newTemplateBudget();
  const jobs = shape.jobs.map(({ node, path }): ParsedJob => {
    if (node.kind !== 'map') {
      const message = `expected a job (a map of fields), got ${describeValue(node)}`;
      return { identity: {}, path, problems: [{ path, message, ...startOf(node) }] };
    }
    return parseJob(
      {
        job: node,
        path,
        fileBindings: shape.bindings,
        budget,
        cliBindings,
        ...(options.key?.cluster === undefined ? {} : { cluster: options.key.cluster }),
        ...(report.source === undefined ? {} : { text: report.source }),
      },
      options,
    );
  });
  if (shape.problems.length > 0)
    report.throwIfAny([...shape.problems, ...jobs.flatMap((job) => job.problems)]);
  return jobs;
}

const emptyFile = (): TreeProblem => ({
  path: [],
  message: 'the file is empty',
  hint: 'write a job with role, environment, name and task; see docs/reference/job-file.md',
});

/** One job, a list of jobs, or `jobs:` with shared bindings. */
function shapeOf(root: SourceNode): FileShape {
  if (root.kind === 'scalar') {
    if (root.value === null) return { jobs: [], problems: [emptyFile()] };
    const message = `expected a job (a map of fields), got ${describeValue(root)}`;
    return { jobs: [], problems: [{ path: [], message, ...startOf(root) }] };
  }
  if (root.kind === 'list') return listOf(root, root.items, []);
  const jobs = root.fields.get('jobs');
  if (jobs === undefined) {
    if (root.fields.size === 0) return { jobs: [], problems: [emptyFile()] };
    return singleJob(root);
  }
  const bindings = root.fields.get('bindings');
  const problems = fileProblems(root);
  if (jobs.kind !== 'list') {
    const message = `jobs: expected a list of jobs, got ${describeValue(jobs)}`;
    return { jobs: [], problems: [...problems, { path: ['jobs'], message, ...startOf(jobs) }] };
  }
  const list = listOf(jobs, jobs.items, ['jobs']);
  return {
    jobs: list.jobs,
    problems: [...problems, ...list.problems],
    ...(bindings === undefined ? {} : { bindings }),
  };
}

/** A file that is one job may hold `templates` beside the job's fields. */
function singleJob(root: MapNode): FileShape {
  const fields = new Map(root.fields);
  fields.delete('templates');
  return { jobs: [{ node: { ...root, fields }, path: [] }], problems: [] };
}

function listOf(list: SourceNode, items: readonly SourceNode[], path: ConfigPath): FileShape {
  if (items.length === 0)
    return { jobs: [], problems: [{ path, message: 'the list of jobs is empty', ...startOf(list) }] };
  if (items.length > 1000) {
    const message = `the file holds ${items.length} jobs; at most 1000 are allowed`;
    return { jobs: [], problems: [{ path, message, hint: 'split the file', ...startOf(list) }] };
  }
  return { jobs: items.map((node, index) => ({ node, path: [...path, index] })), problems: [] };
}

function fileProblems(root: MapNode): TreeProblem[] {
  const allowed = Object.keys(fileSchema.shape);
  const problems: TreeProblem[] = [];
  for (const [key, node] of root.fields) {
    if (allowed.includes(key)) continue;
    const span = node.keySpan ?? node.span;
    problems.push({ path: [key], ...unknownField(key, allowed), ...(span === undefined ? {} : { span }) });
  }
  const bindings = childOf(root, 'bindings');
  if (bindings?.kind === 'map') problems.push(...checkBindingNames(bindings, ['bindings']));
  else if (bindings !== undefined) {
    const message = `expected a map of names, got ${describeValue(bindings)}`;
    problems.push({ path: ['bindings'], message, ...startOf(bindings) });
  }
  return problems;
}

function keyText({ identity }: ParsedJob): string {
  const { cluster, role = '?', environment = '?', name = '?' } = identity;
  return `${cluster === undefined ? '' : `${cluster}/`}${role}/${environment}/${name}`;
}

function select(jobs: readonly ParsedJob[], options: JobFileOptions, report: Report): JobFile {
  const chosen = options.key === undefined ? jobs : [selectOne(jobs, options.key, report)];
  report.throwIfAny([...chosen.flatMap((job) => job.problems), ...duplicates(chosen)]);
  // Without problems each job has a submission.
  const valid = chosen.filter((job) => job.submission !== undefined);
  return {
    file: report.file,
    submissions: valid.flatMap((job) => job.submission ?? []),
    updates: valid.map(({ update }) => update),
  };
}

function selectOne(
  jobs: readonly ParsedJob[],
  key: NonNullable<JobFileOptions['key']>,
  report: Report,
): ParsedJob {
  const matching = jobs.filter(
    ({ identity }) =>
      identity.role === key.role &&
      identity.environment === key.environment &&
      identity.name === key.name &&
      (key.cluster === undefined || identity.cluster === undefined || identity.cluster === key.cluster),
  );
  const [only, second] = matching;
  if (only !== undefined && second === undefined) return only;
  const wanted = `${key.cluster === undefined ? '' : `${key.cluster}/`}${jobPath(key)}`;
  if (only === undefined) {
    // A key that can't be read may be the one that was meant.
    report.throwIfAny(jobs.flatMap((job) => job.problems));
  }
  const candidates = (only === undefined ? jobs : matching).map(keyText);
  const shown = candidates.slice(0, 10).join(', ');
  const message =
    only === undefined
      ? `Could not find job ${wanted} in ${report.file}; it has ${shown}. Nothing was submitted: correct the key or the file.`
      : `Job ${wanted} is ambiguous in ${report.file}: ${shown}. Nothing was submitted: give the cluster too, or remove one.`;
  throw new BorealisError('INVALID_CONFIG', message, {
    details: { file: report.file, key: wanted, candidates },
  });
}

function duplicates(jobs: readonly ParsedJob[]): TreeProblem[] {
  const first = new Map<string, ParsedJob>();
  return jobs.flatMap((job): TreeProblem[] => {
    if (job.submission === undefined) return [];
    const key = keyText(job);
    const earlier = first.get(key);
    first.set(key, earlier ?? job);
    if (earlier === undefined) return [];
    const message = `job ${key} is already defined by ${formatPath(earlier.path)}`;
    return [{ path: job.path, message, hint: 'give each job of a file a key of its own' }];
  });
}
