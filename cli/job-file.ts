// Job files on the command line: which job of the file is meant, and the values of --bind.
import { readFile } from 'node:fs/promises';
import type { JobFile } from '../shared/config/parse-job-file.ts';
import { BorealisError } from '../shared/lib/errors.ts';
import type { JobSubmission } from '../shared/model/job.ts';
import { jobPath } from '../shared/model/job-key.ts';
import type { UpdateSettingsInput } from '../shared/model/update.ts';
import { type JobTarget, parseWholeJob } from './keys.ts';

/** Collects an option that may be given several times. */
export function repeatable(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** `name=value` pairs as a record; INVALID_REQUEST for one without `=` or given twice with different values. */
function parseBindings(pairs: readonly string[]): Record<string, string> {
  const bindings: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) {
      throw new BorealisError('INVALID_REQUEST', `--bind "${pair}" is not name=value; nothing was done.`);
    }
    const name = pair.slice(0, at);
    const value = pair.slice(at + 1);
    if (Object.hasOwn(bindings, name) && bindings[name] !== value) {
      throw new BorealisError('INVALID_REQUEST', `--bind ${name} is given twice; nothing was done.`);
    }
    bindings[name] = value;
  }
  return bindings;
}

/** `[key] <file>` as commander gives it, which can't have an optional argument in front of a required one. */
export function keyAndFile(
  first: string,
  second: string | undefined,
): { readonly key?: string; readonly file: string } {
  return second === undefined ? { file: first } : { key: first, file: second };
}

export interface LoadOptions {
  readonly file: string;
  /** Which job of the file; may be absent when it holds one. */
  readonly key?: string | undefined;
  readonly bind?: readonly string[] | undefined;
  readonly json?: boolean | undefined;
}

export interface LoadedJob {
  readonly submission: JobSubmission;
  /** Cluster named by the key, else by the file. */
  readonly cluster?: string;
  /** How the file says the job is updated. */
  readonly update?: UpdateSettingsInput;
}

/** The one job that key and file name together; INVALID_CONFIG or INVALID_REQUEST with what to do otherwise. */
export async function loadOneJob(options: LoadOptions): Promise<LoadedJob> {
  const target = options.key === undefined ? undefined : parseWholeJob(options.key);
  const { submissions, updates } = await loadJobs(options, target);
  const [submission, ...others] = submissions;
  if (submission === undefined || others.length > 0) {
    const held = submissions.map((one) => jobPath(one)).join(', ') || 'none';
    throw new BorealisError(
      'INVALID_REQUEST',
      `${options.file} holds ${submissions.length} jobs (${held}); nothing was done. Say which with its key.`,
    );
  }
  const cluster = target?.cluster ?? submission.cluster;
  const [update] = updates;
  return { submission, ...(cluster !== undefined && { cluster }), ...(update && { update }) };
}

async function loadJobs(options: LoadOptions, target: JobTarget | undefined): Promise<JobFile> {
  const bindings = parseBindings(options.bind ?? []);
  const parseOptions = {
    bindings,
    ...(target && { key: { ...target.key, cluster: target.cluster } }),
  };
  if (options.json) {
    const { parseJobFile } = await import('../shared/config/parse-job-file.ts');
    const text = await readFile(options.file, 'utf8').catch((cause: unknown) => {
      throw new BorealisError(
        'INVALID_CONFIG',
        `cannot read ${options.file}; nothing was done. Check the path.`,
        {
          cause,
        },
      );
    });
    return parseJobFile(text, { ...parseOptions, format: 'json', fileName: options.file });
  }
  const { loadJobFile } = await import('../shared/config/load-job-file.ts');
  return loadJobFile(options.file, parseOptions);
}
