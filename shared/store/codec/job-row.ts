// Jobs, task configs and pending reasons as stored rows: JSON in one attribute `j`, beside the few attributes that
// conditions need (`v` spec version, `rv` reconciled version).
import { BorealisError } from '../../lib/errors.ts';
import { type Job, jobSchema } from '../../model/job.ts';
import { type JobKey, jobPath } from '../../model/job-key.ts';
import type { TaskConfig } from '../../model/task-config.ts';
import { configKeyOf, jobKeyOf, unreconciledDue } from '../keys.ts';
import { jsonOf, type Row, unreadable } from './row.ts';

/** One item takes 400 KB; what is left is for keys and names. */
const maxItemBytes = 395_000;

export type JsonRow = { readonly pk: string; readonly sk: string; readonly j: string };

/** A job stays in the due index until it is reconciled, so that a lost hint costs a minute and not the job. */
export function encodeJob(job: Job): JsonRow & { readonly v: number; readonly rv: number } {
  const j = JSON.stringify(job);
  checkSize(j, `job ${jobPath(job)}`, 'Give it fewer separate instance ranges.');
  const due = job.specVersion > job.reconciledVersion ? unreconciledDue(job, job.updatedAt) : {};
  return { ...jobKeyOf(job), v: job.specVersion, rv: job.reconciledVersion, j, ...due };
}

/** Jobs are few and long-lived, and their shape grows: read through the schema, which fills in later defaults. */
export function decodeJob(row: Row): Job {
  const parsed = jobSchema.safeParse(jsonOf(row, 'j', 'job'));
  if (!parsed.success) throw unreadable('job', row, parsed.error);
  return parsed.data;
}

export function encodeConfig(key: JobKey, configId: string, config: TaskConfig): JsonRow {
  const j = JSON.stringify(config);
  checkSize(j, `a task config of job ${jobPath(key)}`, 'Move long command lines into a file in the sandbox.');
  return { ...configKeyOf(key, configId), j };
}

export function decodeConfig(row: Row): TaskConfig {
  return jsonOf(row, 'j', 'task config') as TaskConfig;
}

export function checkSize(json: string, what: string, advice: string): void {
  const bytes = Buffer.byteLength(json);
  if (bytes <= maxItemBytes) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    `${what} takes ${Math.ceil(bytes / 1000)} KB, at most ${Math.floor(maxItemBytes / 1000)} KB can be stored; nothing was changed. ${advice}`,
    { details: { bytes, maxBytes: maxItemBytes } },
  );
}
