// What a right job file becomes: conversion, defaults, templating, selection, the same from YAML, JSON and objects.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JobFileOptions, parseJobFile, parseJobObject } from '../../../shared/config/parse-job-file.ts';
import { isBorealisError } from '../../../shared/lib/errors.ts';
import { type JobSubmission, jobSubmissionSchema } from '../../../shared/model/job.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';

const job = `role: demo
environment: devel
name: web
task:
  resources: {cpu: 1, ramMb: 64, diskMb: 64}
  processes:
    - name: a
      cmdline: echo a
`;

function parse(text: string, options: JobFileOptions = {}): readonly JobSubmission[] {
  return parseJobFile(text, { format: 'yaml', fileName: 'job.yaml', ...options }).submissions;
}

function taskOf(text: string, options: JobFileOptions = {}): TaskConfig {
  const task = parse(text, options)[0]?.configs[0]?.task;
  if (task === undefined) throw new Error('no task');
  return task;
}

const commandOf = (text: string, options: JobFileOptions = {}) => taskOf(text, options).processes[0]?.cmdline;
const withCommand = (command: string) => job.replace('echo a', () => JSON.stringify(command));

describe('a job file becomes a submission', () => {
  it('keeps what is to become of tasks whose agent is lost', () => {
    expect(taskOf(job)).not.toHaveProperty('partitionPolicy');
    expect(taskOf(`${job}partitionPolicy: {delaySecs: 300}\n`).partitionPolicy).toEqual({
      reschedule: true,
      delaySecs: 300,
    });
    expect(taskOf(`${job}partitionPolicy: {reschedule: false}\n`).partitionPolicy).toEqual({
      reschedule: false,
      delaySecs: 0,
    });
  });

  it('fills in every default', () => {
    const process = { maxFailures: 1, daemon: false, ephemeral: false, final: false, minDurationSecs: 5 };
    expect(parse(job)).toEqual([
      {
        role: 'demo',
        environment: 'devel',
        name: 'web',
        configs: [
          {
            instances: [[0, 0]],
            task: {
              service: false,
              tier: 'preemptible',
              priority: 0,
              maxTaskFailures: 1,
              constraints: [],
              pool: 'default',
              metadata: {},
              resources: {
                cpuMilli: 1000,
                ramMb: 64,
                diskMb: 64,
                gpus: 0,
                gpuMilli: 0,
                gpuModels: [],
                ports: [],
              },
              maxFailures: 1,
              maxConcurrency: 0,
              finalizationWaitSecs: 30,
              processes: [{ name: 'a', cmdline: 'echo a', ...process }],
              ordering: [],
            },
          },
        ],
      },
    ]);
  });

  const resources: readonly (readonly [string, Partial<TaskConfig['resources']>])[] = [
    ['cpu: 0.5, ram: 1GiB, disk: 512MB', { cpuMilli: 500, ramMb: 1024, diskMb: 512 }],
    ['cpu: 0.001, ram: 1.5G, disk: 2048KiB', { cpuMilli: 1, ramMb: 1536, diskMb: 2 }],
    ['cpu: 64, ram: 1TB, diskMb: 0', { cpuMilli: 64_000, ramMb: 1_048_576, diskMb: 0 }],
    ['cpu: 1, ramMb: 1, diskMb: 1, gpus: 2', { gpus: 2, gpuMilli: 1000 }],
    ['cpu: 1, ramMb: 1, diskMb: 1, gpus: 0.25', { gpus: 1, gpuMilli: 250 }],
    [
      'cpu: 1, ramMb: 1, diskMb: 1, gpus: 1, gpuMilli: 250, gpuModels: [T4]',
      { gpus: 1, gpuMilli: 250, gpuModels: ['T4'] },
    ],
    ['cpu: 1, ramMb: 1, diskMb: 1, ports: [http, admin]', { ports: ['http', 'admin'] }],
  ];
  it.each(resources)('resources {%s}', (text, expected) => {
    expect(taskOf(job.replace('cpu: 1, ramMb: 64, diskMb: 64', text)).resources).toMatchObject(expected);
  });

  it('parses constraints', () => {
    const text = `${job}constraints: {rack: 'a, b', zone: '!c', host: 'limit:2', dedicated: demo/db}\n`;
    expect(taskOf(text).constraints).toEqual([
      { kind: 'value', attribute: 'rack', negated: false, values: ['a', 'b'] },
      { kind: 'value', attribute: 'zone', negated: true, values: ['c'] },
      { kind: 'limit', attribute: 'host', limit: 2 },
      { kind: 'value', attribute: 'dedicated', negated: false, values: ['demo/db'] },
    ]);
  });

  const tiers: readonly (readonly [string, string])[] = [
    ['production: true', 'preferred'],
    ['production: false', 'preemptible'],
    ['tier: revocable', 'revocable'],
    ['production: true\ntier: preferred', 'preferred'],
  ];
  it.each(tiers)('derives the tier from %s', (text, tier) => {
    expect(taskOf(`${job}${text}\n`).tier).toBe(tier);
  });

  it('calls a job without a name after its task, or that after its first process', () => {
    expect(parse(job.replace('name: web\n', ''))[0]?.name).toBe('a');
    expect(parse(job.replace('name: web\ntask:', 'task:\n  name: b'))[0]?.name).toBe('b');
  });

  it('orders ordinary and final processes each in their own sequence', () => {
    const more = ['b', 'c'].map((name) => `    - {name: ${name}, cmdline: x}\n`);
    const final = ['y', 'z'].map((name) => `    - {name: ${name}, cmdline: x, final: true}\n`);
    const text = `${job}${more.join('')}${final.join('')}  order: sequential\n`;
    expect(taskOf(text).ordering).toEqual([
      ['a', 'b', 'c'],
      ['y', 'z'],
    ]);
  });

  it('checks health by http when a port named health is asked for, unless it is told not to', () => {
    const withPort = withCommand('serve {{borealis.ports[health]}}');
    expect(taskOf(withPort).healthCheck?.http?.endpoint).toBe('/health');
    expect(taskOf(withPort).httpLifecycle?.gracefulShutdownEndpoint).toBe('/quitquitquit');
    const off = taskOf(`${withPort}healthCheck: {enabled: false}\nlifecycle: {enabled: false}\n`);
    expect([off.healthCheck, off.httpLifecycle]).toEqual([undefined, undefined]);
    expect(taskOf(job).healthCheck).toBeUndefined();
  });

  it('asks for every port that a command refers to, once and in order', () => {
    const text = `${withCommand('x {{thermos.ports[b]}} {{borealis.ports[a]}} {{borealis.ports[b]}}').replace(
      'diskMb: 64',
      'diskMb: 64, ports: [c, a]',
    )}healthCheck: {shell: {command: 'nc {{borealis.ports[d]}}'}}\n`;
    expect(taskOf(text).resources.ports).toEqual(['c', 'a', 'b', 'd']);
  });

  it('gives the instances of an override their own config and the others the base', () => {
    const text = `${job}instances: 10
overrides:
  - {instances: "0-1,5", task: {resources: {cpu: 2}}}
  - {instances: "9", task: {processes: [{name: b, cmdline: v3}]}}
`;
    const [submission] = parse(text);
    expect(submission?.configs.map(({ instances }) => instances)).toEqual([
      [
        [2, 4],
        [6, 8],
      ],
      [
        [0, 1],
        [5, 5],
      ],
      [[9, 9]],
    ]);
    expect(
      submission?.configs.map(({ task }) => [task.resources.cpuMilli, task.processes[0]?.cmdline]),
    ).toEqual([
      [1000, 'echo a'],
      [2000, 'echo a'],
      [1000, 'v3'],
    ]);
  });

  it('reads anchors and merges', () => {
    const text = `templates:
  - &small {cpu: 0.5, ramMb: 32, diskMb: 32}
jobs:
  - role: demo
    environment: devel
    name: web
    task:
      resources: {<<: *small, ramMb: 99}
      processes: [{name: a, cmdline: x}]
`;
    expect(taskOf(text).resources).toMatchObject({ cpuMilli: 500, ramMb: 99, diskMb: 32 });
  });

  it('reads the same from YAML, JSON and an object', () => {
    const value = {
      bindings: { who: 'world' },
      jobs: [
        {
          role: 'demo',
          environment: 'test',
          name: 'x',
          instances: 2,
          contact: undefined,
          task: {
            resources: { cpu: 1, ramMb: 64, disk: '1GB' },
            processes: [{ name: 'a', cmdline: 'echo "hello {{who}} \u{1F600}"\n\t{{borealis.instance}}' }],
          },
        },
      ],
    };
    const json = JSON.stringify(value, null, '\t');
    const [fromObject, fromJson, fromYaml] = [
      parseJobObject(value, { fileName: 'job.ts' }),
      parseJobFile(json, { format: 'json', fileName: 'job.json' }),
      parseJobFile(`# as yaml\n${JSON.stringify(value)}`, { format: 'yaml', fileName: 'job.yaml' }),
    ].map(({ submissions }) => submissions);
    expect(fromObject?.[0]?.configs[0]?.task.processes[0]?.cmdline).toContain('hello world \u{1F600}');
    expect(fromJson).toEqual(fromObject);
    expect(fromYaml).toEqual(fromObject);
  });
});

describe('templating', () => {
  const scopes: readonly (readonly [string, string, Readonly<Record<string, string>>, string])[] = [
    ['attributes of the job', withCommand('{{role}}/{{environment}}/{{instances}}'), {}, 'demo/devel/1'],
    ['the closest attribute', withCommand('{{name}} of {{job.name}}'), {}, 'a of web'],
    [
      'reserved names of the client',
      withCommand('{{mesos.role}} {{thermos.user}} {{borealis.environment}} {{borealis.name}}'),
      {},
      'demo demo devel web',
    ],
    ['a value from --bind', withCommand('{{x}}'), { x: '1' }, '1'],
    ['--bind over the job', `${withCommand('{{x}}')}bindings: {x: job}\n`, { x: 'cli' }, 'cli'],
    [
      'a process over --bind',
      `${withCommand('{{x}}')}      bindings: {x: process}\n`,
      { x: 'cli' },
      'process',
    ],
    ['a binding over an attribute', `${withCommand('{{role}}')}bindings: {role: bound}\n`, {}, 'bound'],
    [
      'fields and items',
      `${withCommand('{{p.env}} {{l[1]}} {{p[k]}}')}bindings: {p: {env: e, k: v}, l: [1, 2]}\n`,
      {},
      'e 2 v',
    ],
    ['a dotted --bind', withCommand('{{p.env}}'), { 'p.env': 'x' }, 'x'],
    ['nested references', `${withCommand('{{port-{{which}}}}')}bindings: {which: a, port-a: 80}\n`, {}, '80'],
    [
      'bindings evaluated late',
      `${withCommand('{{x}}')}      bindings: {y: late}\nbindings: {x: "<{{y}}>", y: early}\n`,
      {},
      '<late>',
    ],
    [
      'names for the agent',
      withCommand('{{mesos.instance}} {{ borealis.hostname }}'),
      {},
      '{{mesos.instance}} {{borealis.hostname}}',
    ],
    [
      'a port named by a binding',
      withCommand('{{thermos.ports[{{x}}]}}'),
      { x: 'http' },
      '{{thermos.ports[http]}}',
    ],
    [
      'literal braces, which the agent unescapes',
      withCommand('{{&.Names}} } {{ {'),
      {},
      '{{&.Names}} } {{ {',
    ],
    ['braces around a reference', withCommand('{{{x}}}'), { x: '1' }, '{1}'],
  ];
  it.each(scopes)('%s', (_name, text, bindings, expected) => {
    expect(commandOf(text, { bindings })).toBe(expected);
  });

  it('turns text from a template into the number or boolean a field asks for', () => {
    const text = `${job}instances: "{{n}}"\nservice: "{{yes}}"\n`;
    const [submission] = parse(text, { bindings: { n: '12', yes: 'true' } });
    expect(submission?.configs[0]?.instances).toEqual([[0, 11]]);
    expect(submission?.configs[0]?.task.service).toBe(true);
  });

  it('resolves the escape where no agent renders', () => {
    expect(taskOf(`${job}contact: "{{&x}}"\n`).contact).toBe('{{x}}');
  });
});

describe('selecting a job', () => {
  const two = `- ${job.replaceAll('\n', '\n  ')}\n- ${job.replace('name: web', 'name: api').replace('echo a', 'echo {{x}}').replaceAll('\n', '\n  ')}\n`;
  const key = { role: 'demo', environment: 'devel', name: 'web' };

  it('takes the one the key names although another has problems', () => {
    expect(parse(two, { key }).map(({ name }) => name)).toEqual(['web']);
    expect(() => parse(two)).toThrow(/\{\{x\}\} is not bound/);
    expect(parse(two, { bindings: { x: '1' } }).map(({ name }) => name)).toEqual(['web', 'api']);
  });

  it('says which jobs there are when none matches', () => {
    try {
      parse(two, { key: { ...key, name: 'wbe' }, bindings: { x: '1' } });
      expect.unreachable();
    } catch (error) {
      expect(isBorealisError(error, 'INVALID_CONFIG') && error.details.candidates).toEqual([
        'demo/devel/web',
        'demo/devel/api',
      ]);
    }
  });

  it('tells clusters apart', () => {
    const clusters = `- cluster: east\n  ${job.replaceAll('\n', '\n  ')}\n- cluster: west\n  ${job.replaceAll('\n', '\n  ')}\n`;
    expect(parse(clusters, { key: { ...key, cluster: 'west' } })[0]?.cluster).toBe('west');
    expect(() => parse(clusters, { key })).toThrow(
      /ambiguous .*east\/demo\/devel\/web, west\/demo\/devel\/web/,
    );
    expect(() => parse(clusters, { key: { ...key, cluster: 'north' } })).toThrow(/Could not find job north/);
  });

  it('refuses a key defined twice', () => {
    expect(() => parse(`- ${job.replaceAll('\n', '\n  ')}\n- ${job.replaceAll('\n', '\n  ')}\n`)).toThrow(
      /job demo\/devel\/web is already defined by \[0\]/,
    );
  });
});

describe('whatever the text', () => {
  /** Small pieces of the language in any order reach far deeper than random characters. */
  const pieces = [
    'role: ',
    'task:',
    '\n  ',
    '\n',
    '- ',
    '{',
    '}',
    '{{',
    '}}',
    '[',
    ']',
    '&a ',
    '*a',
    '<<: ',
    'name',
    '"',
    "'",
    ': ',
    ',',
    '{{name}}',
    '{{borealis.ports[x]}}',
    'processes:',
    'jobs:',
    '!x ',
    '1e999',
    '__proto__: ',
    '|\n',
    '#',
    '\t',
    '---\n',
  ];
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 40 }).map((list) => list.join('')),
    fc
      .tuple(fc.nat(job.length), fc.nat(20), fc.constantFrom(...pieces))
      .map(([at, cut, piece]) => job.slice(0, at) + piece + job.slice(at + cut)),
  );

  it('the answer is a valid submission or INVALID_CONFIG with problems in place', () => {
    fc.assert(
      fc.property(texts, fc.constantFrom('yaml' as const, 'json' as const), (text, format) => {
        try {
          for (const submission of parseJobFile(text, { format, fileName: 'f' }).submissions) {
            expect(jobSubmissionSchema.parse(submission)).toEqual(submission);
          }
        } catch (error) {
          if (!isBorealisError(error, 'INVALID_CONFIG')) throw error;
          const problems = error.details.problems as readonly { line: number; column: number }[];
          const count = text.split('\n').length;
          expect(problems.length).toBeGreaterThan(0);
          for (const { line, column } of problems) {
            expect(line).toBeGreaterThanOrEqual(1);
            expect(line).toBeLessThanOrEqual(count);
            expect(column).toBeGreaterThanOrEqual(1);
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('text without references is left as it is, and rendering twice changes nothing', () => {
    const command = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(command, fc.string({ maxLength: 20 }), (text, value) => {
        fc.pre(
          !text.includes('{{') && !value.includes('{{') && !text.endsWith('{') && !value.startsWith('{'),
        );
        const once = commandOf(withCommand(`${text}{{x}}`), { bindings: { x: value } });
        expect(once).toBe(text + value);
        fc.pre(!(once ?? '').includes('{{'));
        expect(commandOf(withCommand(once ?? ''))).toBe(once);
      }),
      { numRuns: 300 },
    );
  });

  const anywhere: readonly (readonly (string | number)[])[] = [
    [],
    ['task'],
    ['task', 'resources'],
    ['task', 'processes', 0],
    ['task', 'processes', 0, 'logger'],
    ['healthCheck'],
    ['healthCheck', 'shell'],
    ['lifecycle'],
    ['overrides', 0],
    ['overrides', 0, 'task', 'resources'],
  ];
  it('an unknown field is refused anywhere', () => {
    const base = () => ({
      role: 'demo',
      environment: 'devel',
      name: 'x',
      task: {
        resources: { cpu: 1, ramMb: 1, diskMb: 1 },
        processes: [{ name: 'a', cmdline: 'x', logger: {} }],
      },
      healthCheck: { shell: { command: 'true' } },
      lifecycle: {},
      overrides: [{ instances: '0', task: { resources: {} } }],
    });
    expect(parseJobObject(base(), { fileName: 'f' }).submissions).toHaveLength(1);
    fc.assert(
      fc.property(
        fc.constantFrom(...anywhere),
        fc.stringMatching(/^zz[a-z_]{1,12}$/),
        // Keys like __proto__ are refused earlier, with words of their own (tested by name elsewhere).
        fc.json().filter((json) => !json.includes('__proto__') && !/constructor|prototype/.test(json)),
        (path, field, json) => {
          const value = base();
          const target = path.reduce<unknown>(
            (at, step) => (at as Record<string | number, unknown>)[step],
            value,
          );
          (target as Record<string, unknown>)[field] = JSON.parse(json);
          expect(() => parseJobObject(value, { fileName: 'f' })).toThrow(`unknown field ${field}`);
        },
      ),
      { numRuns: 300 },
    );
  });
});
