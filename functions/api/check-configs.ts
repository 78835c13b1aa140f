// Every rule on submitted configs, for create and update alike; all that is wrong is said at once.
import { checkSubmission } from '../../shared/config/check-submission.ts';
import { formatPath } from '../../shared/config/problem.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';

/** A config is one row of the store (400 KB) and goes to the agent in one message. */
const maxConfigBytes = 180_000;

/** INVALID_CONFIG names every problem and its place in the body. `prefix`: what stands before `configs` there. */
export function checkConfigs(submission: JobSubmission, prefix = ''): void {
  const problems = checkSubmission(submission).map(({ path, message, hint }) => ({
    in: 'body',
    at: formatPath(path),
    message: hint === undefined ? message : `${message}; ${hint}`,
  }));
  for (const [index, { task }] of submission.configs.entries()) {
    const bytes = configBytes(task);
    if (bytes <= maxConfigBytes) continue;
    const message = `the config has ${bytes} bytes, at most ${maxConfigBytes} are taken; let the task fetch large scripts itself`;
    problems.push({ in: 'body', at: `configs[${index}].task`, message });
  }
  if (problems.length === 0) return;
  const shown = problems.slice(0, 20).map((one) => ({
    ...one,
    at: one.at.startsWith('configs') ? `${prefix}${one.at}` : one.at,
  }));
  const said = shown.map(({ at, message }) => `${at}: ${message}`);
  throw new BorealisError(
    'INVALID_CONFIG',
    `${said.join('; ')}. Nothing was stored; correct this and send it again.`,
    { details: { problems: shown } },
  );
}

function configBytes(task: TaskConfig): number {
  return Buffer.byteLength(JSON.stringify(task));
}
