// The rules the API server applies to a submission that never was a file.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSubmission } from '../../../shared/config/check-submission.ts';
import { checkTaskConfig, referencedPorts } from '../../../shared/config/check-task-config.ts';
import { formatPath, submissionError } from '../../../shared/config/problem.ts';
import type { InstanceRange } from '../../../shared/model/job-key.ts';
import {
  type ProcessConfig,
  processSchema,
  type TaskConfig,
  taskConfigSchema,
} from '../../../shared/model/task-config.ts';

const process = (name: string, more: Partial<ProcessConfig> = {}): ProcessConfig => ({
  ...processSchema.parse({ name, cmdline: 'true' }),
  ...more,
});

const task = (more: Partial<TaskConfig> = {}): TaskConfig =>
  taskConfigSchema.parse({
    service: false,
    tier: 'preemptible',
    priority: 0,
    maxTaskFailures: 1,
    constraints: [],
    pool: 'default',
    metadata: {},
    resources: { cpuMilli: 100, ramMb: 1, diskMb: 1 },
    maxFailures: 1,
    maxConcurrency: 0,
    finalizationWaitSecs: 30,
    processes: [process('a')],
    ordering: [],
    ...more,
  });

const submission = (...ranges: InstanceRange[][]) => ({
  role: 'demo',
  environment: 'devel',
  name: 'x',
  configs: ranges.map((instances) => ({ instances, task: task() })),
});

const resources = (more: Partial<TaskConfig['resources']>) => ({ ...task().resources, ...more });
const abc = [process('a'), process('b'), process('c')];
const health = {
  initialIntervalSecs: 1,
  intervalSecs: 1,
  maxConsecutiveFailures: 0,
  minConsecutiveSuccesses: 1,
  timeoutSecs: 1,
};
const http = { port: 'health', endpoint: '/', expectedResponse: '', expectedResponseCode: 0 };

describe('checkTaskConfig', () => {
  const cases: readonly (readonly [string, Partial<TaskConfig>, readonly string[]])[] = [
    ['a plain task', {}, []],
    [
      'a diamond',
      {
        processes: [...abc, process('d')],
        ordering: [
          ['a', 'b', 'd'],
          ['a', 'c', 'd'],
          ['a', 'b'],
        ],
      },
      [],
    ],
    [
      'the same order twice',
      {
        processes: abc,
        ordering: [
          ['a', 'b'],
          ['a', 'b'],
        ],
      },
      [],
    ],
    [
      'a step on itself',
      { processes: abc, ordering: [['a', 'a']] },
      ['ordering[0][1]: the ordering goes in a circle: a -> a'],
    ],
    [
      'a circle across lists, with steps that lead out of and into it',
      {
        processes: [...abc, process('d'), process('e')],
        ordering: [
          ['d', 'a', 'b'],
          ['b', 'c'],
          ['c', 'a'],
          ['c', 'e'],
        ],
      },
      ['ordering[0][2]: the ordering goes in a circle: a -> b -> c -> a'],
    ],
    [
      'waiting for a daemon',
      { processes: [process('a', { daemon: true }), process('b')], ordering: [['a', 'b']] },
      ['ordering[0][1]: b may not wait for a: a daemon runs again after every success'],
    ],
    [
      'a daemon that waits',
      { processes: [process('a'), process('b', { daemon: true })], ordering: [['a', 'b']] },
      [],
    ],
    [
      'waiting for an ephemeral process',
      { processes: [process('a', { ephemeral: true }), process('b')], ordering: [['a', 'b']] },
      ['ordering[0][1]: b may not wait for a: the task can complete without an ephemeral process'],
    ],
    [
      'an ephemeral process waiting for another',
      {
        processes: [process('a', { ephemeral: true }), process('b', { ephemeral: true })],
        ordering: [['a', 'b']],
      },
      [],
    ],
    [
      'final and ordinary in one list',
      { processes: [process('a'), process('b', { final: true })], ordering: [['a', 'b']] },
      ['ordering[0][1]: b is final and a is not: one ordering may not hold both'],
    ],
    [
      'final processes among themselves',
      { processes: [process('a', { final: true }), process('b', { final: true })], ordering: [['a', 'b']] },
      [],
    ],
    ['an unknown process', { ordering: [['a', 'z']] }, ['ordering[0][1]: there is no process named z']],
    [
      'a name used twice',
      { processes: [process('a'), process('a')] },
      ['processes[1].name: process name a is already used by processes[0]'],
    ],
    [
      'GPUs without a share',
      { resources: resources({ gpus: 1 }) },
      ['resources.gpuMilli: gpus is 1 but gpuMilli is 0: both or neither must be above 0'],
    ],
    [
      'a share without GPUs',
      { resources: resources({ gpuMilli: 5 }) },
      ['resources.gpus: gpus is 0 but gpuMilli is 5: both or neither must be above 0'],
    ],
    [
      'half of two GPUs',
      { resources: resources({ gpus: 2, gpuMilli: 500 }) },
      ['resources.gpuMilli: a share of a card (500/1000) is only possible with one GPU, not 2'],
    ],
    [
      'a port named twice',
      { resources: resources({ ports: ['a', 'a'] }) },
      ['resources.ports[1]: port a is named twice'],
    ],
    [
      'a port that is not asked for',
      { processes: [process('a', { cmdline: 'x {{borealis.ports[web]}}' })] },
      ['processes[0].cmdline: this command needs a port named web, which the task does not ask for'],
    ],
    [
      'an unbound name',
      { processes: [process('a', { cmdline: 'x {{y}}' })] },
      ['processes[0].cmdline: {{y}} is not a name the agent can fill in'],
    ],
    [
      'http health without the port',
      { healthCheck: { ...health, http } },
      [
        'healthCheck.http.port: the http health check needs a port named health, which the task does not ask for',
      ],
    ],
    [
      'neither http nor shell',
      { healthCheck: health },
      ['healthCheck: the health check says neither http nor shell'],
    ],
    [
      'http and shell',
      {
        resources: resources({ ports: ['health'] }),
        healthCheck: { ...health, http, shell: { command: 'x' } },
      },
      ['healthCheck: http and shell exclude each other'],
    ],
  ];
  it.each(cases)('%s', (_name, more, expected) => {
    const problems = checkTaskConfig(task(more));
    expect(problems.map(({ path, message }) => `${formatPath(path)}: ${message}`)).toEqual(expected);
  });

  it('refuses constraints that would make the row of every task large', () => {
    const naming = (count: number): TaskConfig['constraints'] =>
      Array.from({ length: count }, (_, at) => ({
        kind: 'value',
        attribute: `rack${at}`,
        negated: true,
        values: Array.from({ length: 64 }, (_value, number) => `${number}`.padEnd(100, 'x')),
      }));
    expect(checkTaskConfig(task({ constraints: naming(2) }))).toEqual([]);
    const [problem, ...more] = checkTaskConfig(task({ constraints: naming(3) }));
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ path: ['constraints'] });
    expect(problem?.message).toMatch(/^the constraints take \d+ bytes, at most 16000 are possible$/);
  });

  it('lists the ports that commands refer to', () => {
    const processes = [
      process('a', { cmdline: '{{thermos.ports[b]}} {{borealis.ports[a]}}' }),
      process('b', { cmdline: '{{borealis.ports[b]}}' }),
    ];
    expect(
      referencedPorts(
        task({ processes, healthCheck: { ...health, shell: { command: '{{borealis.ports[c]}}' } } }),
      ),
    ).toEqual(['b', 'a', 'c']);
  });

  it('finds a circle exactly when there is no order to run in', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const list = fc.array(fc.constantFrom(...names), { minLength: 2, maxLength: 4 });
    const runnable = (ordering: readonly (readonly string[])[]): boolean => {
      const waits = ordering.flatMap((steps) =>
        steps.slice(1).map((name, i) => [steps[i] as string, name] as const),
      );
      const done = new Set<string>();
      for (let round = 0; round < names.length; round++) {
        for (const name of names)
          if (waits.every(([before, after]) => after !== name || done.has(before))) done.add(name);
      }
      return done.size === names.length;
    };
    fc.assert(
      fc.property(fc.array(list, { maxLength: 5 }), (ordering) => {
        const problems = checkTaskConfig(task({ processes: names.map((name) => process(name)), ordering }));
        expect(problems.length === 0).toBe(runnable(ordering));
      }),
      { numRuns: 500 },
    );
  });
});

describe('checkSubmission', () => {
  const ranges: readonly (readonly [string, InstanceRange[][], readonly string[]])[] = [
    ['one range', [[[0, 9]]], []],
    [
      'several that fit together',
      [
        [
          [0, 1],
          [5, 9],
        ],
        [[2, 4]],
      ],
      [],
    ],
    [
      'a hole',
      [
        [
          [0, 1],
          [4, 4],
        ],
        [[7, 9]],
      ],
      ['configs: instances 2-3,5-6 have no config'],
    ],
    ['not from 0', [[[1, 2]]], ['configs: instances 0 have no config']],
    ['an overlap', [[[0, 5]], [[3, 9]]], ['configs[1].instances[0]: instances 3-5 are given a config twice']],
    [
      'an overlap hidden behind a long range',
      [
        [
          [0, 9],
          [1, 2],
        ],
        [[8, 8]],
      ],
      [
        'configs[0].instances[1]: instances 1-2 are given a config twice',
        'configs[1].instances[0]: instances 8 are given a config twice',
      ],
    ],
    ['a reversed range', [[[3, 0]]], ['configs[0].instances[0]: instance range 3-0 is reversed']],
    ['the most instances there are', [[[0, 99_999]]], []],
    [
      'one more',
      [[[0, 100_000]]],
      ['configs[0].instances[0]: instance 100000 is beyond the largest instance number 99999'],
    ],
  ];
  it.each(ranges)('instances: %s', (_name, configs, expected) => {
    const problems = checkSubmission(submission(...configs));
    expect(problems.map(({ path, message }) => `${formatPath(path)}: ${message}`)).toEqual(expected);
  });

  const environments: readonly (readonly [string, boolean])[] = [
    ['prod', true],
    ['devel', true],
    ['test', true],
    ['staging', true],
    ['staging12', true],
    ['prod2', false],
    ['testing', false],
    ['PROD', false],
  ];
  it.each(environments)('environment %s: %s', (environment, allowed) => {
    expect(checkSubmission({ ...submission([[0, 0]]), environment }).length === 0).toBe(allowed);
  });

  const dedicated: readonly (readonly [string, TaskConfig['constraints'][0], boolean])[] = [
    ["the role's own", { kind: 'value', attribute: 'dedicated', negated: false, values: ['demo/db'] }, true],
    ["anybody's", { kind: 'value', attribute: 'dedicated', negated: false, values: ['*/db'] }, true],
    ["another's", { kind: 'value', attribute: 'dedicated', negated: false, values: ['demo2/db'] }, false],
    ['negated', { kind: 'value', attribute: 'dedicated', negated: true, values: ['demo/db'] }, false],
    [
      'two values',
      { kind: 'value', attribute: 'dedicated', negated: false, values: ['demo/a', 'demo/b'] },
      false,
    ],
    ['a limit', { kind: 'limit', attribute: 'dedicated', limit: 1 }, false],
  ];
  it.each(dedicated)('dedicated: %s', (_name, constraint, allowed) => {
    const configs = [{ instances: [[0, 0]] as InstanceRange[], task: task({ constraints: [constraint] }) }];
    expect(checkSubmission({ ...submission(), configs }).length === 0).toBe(allowed);
  });

  it('gives one error with every problem and its path', () => {
    const error = submissionError(checkSubmission({ ...submission([[1, 2]]), environment: 'x' }));
    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.message).toContain('environment: environment x is not allowed here');
    expect(error.message).toContain('configs: instances 0 have no config');
    expect(error.message).toContain('nothing is stored');
  });
});
