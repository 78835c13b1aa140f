// Rules on a whole submission (spec/config.md section 11): environment, instance ranges, dedicated hosts, and the rules of
// each task config. Client and API server run the same function, so neither accepts what the other refuses.

import { formatInstances, normaliseInstances } from '../model/instance-ranges.ts';
import { type JobSubmission, maxInstances } from '../model/job.ts';
import type { InstanceRange } from '../model/job-key.ts';
import type { TaskConfig } from '../model/task-config.ts';
import { checkTaskConfig } from './check-task-config.ts';
import type { ConfigProblem } from './problem.ts';

/** prod, devel, test, or staging followed by optional digits. */
const defaultEnvironmentPattern = /^(?:prod|devel|test|staging\d*)$/;

export interface SubmissionRules {
  /** Environments this installation allows; default prod, devel, test and staging with an optional number. */
  readonly environmentPattern?: RegExp;
}

/** Everything wrong with a submission; paths are those of JobSubmission. Empty = accepted. */
export function checkSubmission(submission: JobSubmission, rules: SubmissionRules = {}): ConfigProblem[] {
  const pattern = rules.environmentPattern ?? defaultEnvironmentPattern;
  const problems: ConfigProblem[] = [];
  if (!pattern.test(submission.environment)) {
    problems.push({
      path: ['environment'],
      message: `environment ${submission.environment} is not allowed here`,
      hint:
        pattern === defaultEnvironmentPattern
          ? 'use prod, devel, test or staging (staging may be followed by a number)'
          : `allowed are names matching ${pattern.source}`,
    });
  }
  problems.push(...checkRanges(submission));
  for (const [index, { task }] of submission.configs.entries()) {
    for (const problem of [...checkTaskConfig(task), ...checkDedicated(task, submission.role)]) {
      problems.push({ ...problem, path: ['configs', index, 'task', ...problem.path] });
    }
  }
  return problems;
}

function checkRanges(submission: JobSubmission): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const valid: { range: InstanceRange; path: (string | number)[] }[] = [];
  for (const [config, { instances }] of submission.configs.entries()) {
    for (const [index, range] of instances.entries()) {
      const path = ['configs', config, 'instances', index];
      if (range[1] < range[0]) {
        const message = `instance range ${range[0]}-${range[1]} is reversed`;
        problems.push({ path, message, hint: `write ${range[1]}-${range[0]}` });
      } else if (range[1] >= maxInstances) {
        problems.push({
          path,
          message: `instance ${range[1]} is beyond the largest instance number ${maxInstances - 1}`,
          hint: `a job has at most ${maxInstances} instances`,
        });
      } else valid.push({ range, path });
    }
  }
  valid.sort((a, b) => a.range[0] - b.range[0]);
  let end = -1;
  for (const { range, path } of valid) {
    if (range[0] <= end) {
      problems.push({
        path,
        message: `instances ${formatInstances([[range[0], Math.min(end, range[1])]])} are given a config twice`,
        hint: 'each instance runs exactly one config',
      });
    }
    end = Math.max(end, range[1]);
  }
  if (problems.length > 0) return problems;
  const covered = normaliseInstances(valid.map(({ range }) => range));
  const gaps = covered.map(([from], index): InstanceRange => [(covered[index - 1]?.[1] ?? -1) + 1, from - 1]);
  const holes = gaps.filter(([from, to]) => from <= to);
  if (holes.length === 0) return [];
  return [
    {
      path: ['configs'],
      message: `instances ${formatInstances(holes)} have no config`,
      hint: 'instances are numbered from 0 without gaps',
    },
  ];
}

/** spec/scheduling.md section 3: `dedicated` names exactly one group of hosts, owned by the role or open to all (`*`). */
function checkDedicated(task: TaskConfig, role: string): ConfigProblem[] {
  return task.constraints.flatMap((constraint, index): ConfigProblem[] => {
    if (constraint.attribute !== 'dedicated') return [];
    const path = ['constraints', index];
    const [value, ...more] = constraint.kind === 'value' && !constraint.negated ? constraint.values : [];
    if (value === undefined || more.length > 0) {
      const message = 'the dedicated constraint takes exactly one value, not negated and no limit';
      return [{ path, message, hint: `write dedicated: ${role}/NAME` }];
    }
    const owner = value.split('/', 1)[0];
    if (owner === role || owner === '*') return [];
    return [
      {
        path,
        message: `only role ${owner} may use hosts dedicated to it; this job's role is ${role}`,
        hint: `the part before the first / must be ${role} or *`,
      },
    ];
  });
}
