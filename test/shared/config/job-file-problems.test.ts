// What a wrong job file is answered with: place, message and hint, for each way to be wrong.
import { describe, expect, it } from 'vitest';
import { type JobFileOptions, parseJobFile, parseJobObject } from '../../../shared/config/parse-job-file.ts';
import type { FileProblem } from '../../../shared/config/problem.ts';
import { isBorealisError } from '../../../shared/lib/errors.ts';

function problemsOf(
  text: string,
  options: JobFileOptions & { format?: 'yaml' | 'json' } = {},
): readonly FileProblem[] {
  try {
    parseJobFile(text, { format: 'yaml', fileName: 'job.yaml', ...options });
  } catch (error) {
    if (!isBorealisError(error, 'INVALID_CONFIG')) throw error;
    return error.details.problems as readonly FileProblem[];
  }
  return [];
}

/** `line:column path | message` of every problem. */
function lines(text: string, options: JobFileOptions & { format?: 'yaml' | 'json' } = {}): string[] {
  return problemsOf(text, options).map(
    ({ line, column, path, message }) => `${line}:${column} ${path.join('.')} | ${message}`,
  );
}

const job = `role: demo
environment: devel
name: web
task:
  resources: {cpu: 1, ramMb: 64, diskMb: 64}
  processes:
    - name: a
      cmdline: echo a
`;

const cases: readonly (readonly [name: string, text: string, expected: readonly string[]])[] = [
  ['an unknown field of the job', `${job}colour: red\n`, ['9:1 colour | unknown field colour']],
  [
    'a field in snake case',
    `${job}      max_failures: 3\n`,
    ['9:7 task.processes.0.max_failures | unknown field max_failures, did you mean maxFailures?'],
  ],
  [
    'a misspelt field',
    `${job}      cmdlin: x\n`,
    ['9:7 task.processes.0.cmdlin | unknown field cmdlin, did you mean cmdline?'],
  ],
  [
    "Aurora's name for a field",
    `${job}health_check_config: {}\n`,
    ['9:1 health_check_config | unknown field health_check_config, did you mean healthCheck?'],
  ],
  ['a field in the wrong object', `${job}ordering: []\n`, ['9:1 ordering | unknown field ordering here']],
  [
    'settings of updates that cannot be',
    `${job}update: { batch_size: 2, batches: [1, 2], pulseIntervalSecs: 5 }\n`,
    [
      '9:11 update.batch_size | unknown field batch_size, did you mean batchSize?',
      '9:62 update.pulseIntervalSecs | the number 5 must be at least 60',
    ],
  ],
  [
    "Aurora's name for the settings",
    `${job}update_config: {}\n`,
    ['9:1 update_config | unknown field update_config, did you mean update?'],
  ],
  [
    'what comes in a later version',
    `${job}cronSchedule: "* * * * *"\nsla_policy: {}\n`,
    [
      '9:1 cronSchedule | cronSchedule is not supported yet',
      '10:1 sla_policy | sla_policy is not supported yet',
    ],
  ],
  [
    'a text for a number',
    `${job}instances: many\n`,
    ['9:12 instances | expected a number, got the text "many"'],
  ],
  ['a quoted number', `${job}instances: "3"\n`, ['9:12 instances | expected a number, got the text "3"']],
  ['a number for a text', `${job}contact: 5\n`, ['9:10 contact | expected text, got the number 5']],
  ['a field without a value', `${job}contact:\n`, ['9:9 contact | expected text, got nothing (null)']],
  [
    'a fraction of an instance',
    `${job}instances: 1.5\n`,
    ['9:12 instances | expected a whole number, got the number 1.5'],
  ],
  ['no instances', `${job}instances: 0\n`, ['9:12 instances | the number 0 must be at least 1']],
  [
    'too many instances',
    `${job}instances: 100001\n`,
    ['9:12 instances | the number 100001 must be at most 100000'],
  ],
  [
    'a job key with a character that is not allowed',
    job.replace('name: web', 'name: we b'),
    ['3:7 name | the text "we b" is not valid: only letters, digits, _ - and . are allowed'],
  ],
  [
    'an environment that is not allowed',
    job.replace('devel', 'dev'),
    ['2:14 environment | environment dev is not allowed here'],
  ],
  [
    'a missing field, at the object it is missing from',
    job.replace('      cmdline: echo a\n', ''),
    ['7:7 task.processes.0.cmdline | the field cmdline is missing'],
  ],
  [
    'an unknown tier',
    `${job}tier: prefered\n`,
    ['9:7 tier | the text "prefered" is not one of preferred, preemptible, revocable'],
  ],
  [
    'production against tier',
    `${job}tier: preemptible\nproduction: true\n`,
    ['10:13 production | production: true and tier: preemptible contradict each other'],
  ],
  [
    'a size that is none',
    job.replace('ramMb: 64', 'ram: 5 apples'),
    ['5:28 task.resources.ram | not a size of at least 1 MiB; write for example 512MB or 1.5GiB'],
  ],
  [
    'a size said twice, and not at all',
    job.replace('ramMb: 64, diskMb: 64', 'ramMb: 64, ram: 64MB'),
    [
      '5:14 task.resources.diskMb | neither diskMb nor disk is given',
      '5:39 task.resources.ram | ramMb and ram are both given',
    ],
  ],
  [
    'one and a half GPUs',
    job.replace('diskMb: 64', 'diskMb: 64, gpus: 1.5'),
    ['5:52 task.resources.gpus | 1.5 GPUs: only whole cards or a share below 1'],
  ],
  [
    'a share of two GPUs',
    job.replace('diskMb: 64', 'diskMb: 64, gpus: 2, gpuMilli: 500'),
    ['5:65 task.resources.gpuMilli | a share of a card (500/1000) is only possible with one GPU, not 2'],
  ],
  [
    'GPU models without a GPU',
    job.replace('diskMb: 64', 'diskMb: 64, gpuModels: [T4]'),
    ['5:57 task.resources.gpuModels | GPU models are named but no GPU is asked for'],
  ],
  [
    'a bad limit',
    `${job}constraints: {rack: 'limit:none'}\n`,
    ['9:21 constraints.rack | limit: takes a whole number of at least 1'],
  ],
  [
    'an empty constraint value',
    `${job}constraints: {rack: 'a,,b'}\n`,
    ['9:21 constraints.rack | a value is missing'],
  ],
  [
    "another role's dedicated hosts",
    `${job}constraints: {dedicated: db/main}\n`,
    ["9:26 constraints.dedicated | only role db may use hosts dedicated to it; this job's role is demo"],
  ],
  [
    'a negated dedicated constraint',
    `${job}constraints: {dedicated: '!demo/main'}\n`,
    [
      '9:26 constraints.dedicated | the dedicated constraint takes exactly one value, not negated and no limit',
    ],
  ],
  [
    'a process name used twice',
    `${job}    - {name: a, cmdline: echo}\n`,
    ['9:14 task.processes.1.name | process name a is already used by processes[0]'],
  ],
  [
    'an ordering that names no process',
    `${job}  ordering: [[a, reprot]]\n    \n`,
    ['9:18 task.ordering.0.1 | there is no process named reprot'],
  ],
  [
    'order and ordering',
    `${job}  order: sequential\n  ordering: [[a, a]]\n`,
    [
      '9:10 task.order | order and ordering are both given',
      '9:10 task.order | the ordering goes in a circle: a -> a',
    ],
  ],
  [
    'an unbound name',
    job.replace('echo a', 'echo {{who}}'),
    ['8:21 task.processes.0.cmdline | {{who}} is not bound'],
  ],
  [
    'several unbound names in a block text',
    job.replace('echo a', '|\n        echo {{who}}\n        echo {{nam}} {{borealis.port[x]}}'),
    [
      '9:14 task.processes.0.cmdline | {{who}} is not bound',
      '10:14 task.processes.0.cmdline | {{nam}} is not bound; did you mean name?',
      '10:22 task.processes.0.cmdline | unknown name {{borealis.port[x]}}',
    ],
  ],
  [
    'a name the agent knows where only the client renders',
    `${job}contact: "{{borealis.instance}}"\n`,
    ["9:11 contact | {{borealis.instance}} is only known on the agent and can't be used here"],
  ],
  [
    'an agent name nested in another',
    job.replace('echo a', 'echo {{thermos.ports[p{{mesos.instance}}]}}'),
    [
      '8:21 task.processes.0.cmdline | unexpected unbound refs: {{thermos.ports[p{{mesos.instance}}]}} nests a name that is only known on the agent',
    ],
  ],
  [
    'a name that refers to itself',
    job.replace('name: web', 'name: "{{name}}"'),
    ['3:8 name | {{name}} refers to itself: name -> name'],
  ],
  [
    'bindings in a circle',
    `${job}bindings: {x: "{{y}}", y: "{{x}}"}\ncontact: "{{x}}"\n`,
    ['10:11 contact | {{x}} refers to itself: contact -> x -> y -> x'],
  ],
  [
    'a reserved binding name',
    `${job}bindings: {mesos: x}\n`,
    ['9:12 bindings.mesos | mesos is reserved for names the system binds'],
  ],
  [
    'braces that are no name',
    job.replace('echo a', "docker ps --format '{{.Names}}'"),
    [
      '8:36 task.processes.0.cmdline | {{.Names}} is not a name: names look like {{name}}, {{profile.field}} or {{list[0]}}',
    ],
  ],
  [
    'a health check without its port',
    `${job}healthCheck:\n  intervalSecs: 5\n`,
    [
      '10:3 healthCheck.http.port | the http health check needs a port named health, which the task does not ask for',
    ],
  ],
  [
    'http and shell at once',
    `${job}healthCheck: {http: {port: web}, shell: {command: 'nc {{borealis.ports[web]}}'}}\n`,
    ['9:14 healthCheck | http and shell exclude each other'],
  ],
  [
    'a shutdown step without its port',
    `${job}lifecycle: {http: {port: admin}}\n`,
    [
      '9:26 lifecycle.http.port | the http shutdown step needs a port named admin, which the task does not ask for',
    ],
  ],
  [
    'overrides beyond the instances, and twice',
    `${job}instances: 3\noverrides:\n  - {instances: 1-5, task: {}}\n  - {instances: "1", task: {}}\n`,
    ['11:17 overrides.0.instances | instances 3-5 do not exist: the job has 3'],
  ],
  [
    'overrides that overlap',
    `${job}instances: 3\noverrides:\n  - {instances: 0-1, task: {}}\n  - {instances: "1", task: {}}\n`,
    ['12:17 overrides.1.instances | instances 1 are given a config twice'],
  ],
  [
    'a reversed range, and a mistake inside another override',
    `${job}overrides:\n  - {instances: 2-0, task: {}}\n  - {instances: "0", task: {maxFailure: 1}}\n`,
    [
      '10:17 overrides.0.instances | instances: "2-0" is reversed; write 0-2',
      '11:29 task.maxFailure | unknown field maxFailure, did you mean maxFailures?',
    ],
  ],
  [
    'a field name that reaches the prototype',
    `${job}__proto__: {x: 1}\n`,
    ['9:1 __proto__ | __proto__ is not allowed as a name'],
  ],
  ['a field given twice', `${job}name: b\n`, ['9:1 name | not readable: Map keys must be unique']],
  ['an unquoted !', `${job}constraints:\n  rack: !a\n`, ['10:9  | not readable: Unresolved tag: !a']],
  ['two documents', `${job}---\n${job}`, ['9:1  | the file holds more than one document (---)']],
  ['an unknown anchor', `${job}contact: *me\n`, ['9:10 contact | there is no anchor &me']],
  ['an anchor inside itself', 'jobs: &a [*a]\n', ['1:11 jobs.0.0 | anchor &a contains itself']],
  ['infinity', `${job}priority: .inf\n`, ['9:11 priority | Infinity is not a number a job can use']],
  ['a text', '42\n', ['1:1  | expected a job (a map of fields), got the number 42']],
  ['nothing', '# soon\n', ['1:1  | the file is empty']],
  ['no jobs', 'jobs: []\n', ['1:7 jobs | the list of jobs is empty']],
  ['jobs that are none', 'jobs: [1]\n', ['1:8 jobs.0 | expected a job (a map of fields), got the number 1']],
];

describe('a wrong job file is refused at its place', () => {
  it.each(cases)('%s', (_name, text, expected) => {
    expect(lines(text)).toEqual(expected);
  });

  it('reports mistakes of every kind in one run, in file order', () => {
    const text = `role: demo
environment: develop
instances: "{{count}}"
task:
  max_failures: 3
  resources: {cpu: 1, ramMb: 64, disk: 1GB, gpus: 0.5, gpuMilli: 300}
  processes:
    - {name: a, cmdline: "echo {{who}}"}
    - {name: a, cmdline: echo}
`;
    expect(lines(text, { bindings: { count: '3' } })).toEqual([
      '2:14 environment | environment develop is not allowed here',
      '5:3 task.max_failures | unknown field max_failures, did you mean maxFailures?',
      '6:51 task.resources.gpus | gpus: 0.5 and gpuMilli: 300 contradict each other',
      '8:32 task.processes.0.cmdline | {{who}} is not bound',
      '9:14 task.processes.1.name | process name a is already used by processes[0]',
    ]);
  });

  it('says everything in a message that can be printed as it is', () => {
    expect(() =>
      parseJobFile(`${job}      max_failures: 3\n`, { format: 'yaml', fileName: 'web.yaml' }),
    ).toThrow(
      [
        'web.yaml has 1 problem; nothing was submitted.',
        '',
        'web.yaml:9:7  task.processes[0].max_failures',
        '  unknown field max_failures, did you mean maxFailures?',
        '  write maxFailures, or remove it',
        '    9 |       max_failures: 3',
        '      |       ^',
      ].join('\n'),
    );
  });

  it('allows the environments of the installation', () => {
    const text = job.replace('devel', 'qa');
    expect(lines(text, { environmentPattern: /^(qa|prod)$/ })).toEqual([]);
    expect(lines(job, { environmentPattern: /^(qa|prod)$/ })).toEqual([
      '2:14 environment | environment devel is not allowed here',
    ]);
  });

  it.each([
    ['a value', '{"role": "a\\ud800"}', '1:10 role | not Unicode text: it holds half of a surrogate pair'],
    ['a name', '{"\\udc00b": 1}', '1:2 \ufffdb | not Unicode text: it holds half of a surrogate pair'],
  ])('refuses half a character in %s, in YAML, JSON and objects', (_what, text, expected) => {
    expect(lines(text)).toContain(expected);
    expect(lines(text, { format: 'json' })).toContain(expected);
    expect(() => parseJobObject(JSON.parse(text), { fileName: 'job.ts' })).toThrow(/not Unicode text/);
  });

  it('refuses --bind of half a character', () => {
    expect(problemsOf(job, { bindings: { a: 'x\ud800' } })[0]?.message).toMatch(/^--bind: a is not Unicode/);
  });

  it('refuses --bind of a reserved name', () => {
    expect(problemsOf(job, { bindings: { 'mesos.instance': '1' } })[0]?.message).toBe(
      '--bind: mesos is reserved for names the system binds',
    );
  });
});

describe('a JSON job file', () => {
  const json: readonly (readonly [string, string, string])[] = [
    ['a trailing comma', '{\n  "role": "a",\n}', '3:1  | not valid JSON: "}" is not expected here'],
    ['a comment', '{ // no\n}', '1:3  | '],
    ['single quotes', '{\n "role": \'a\'}', '2:10  | not valid JSON: "\'" is not expected here'],
    ['an end too early', '{"role": "a"', '1:13  | not readable: Flow map must end with a }'],
    ['a bare word', '{"role": a}', '1:10  | not readable: Unresolved plain scalar "a"'],
  ];
  it.each(json)('may not hold %s', (_name, text, expected) => {
    expect(lines(text, { format: 'json' })[0]?.startsWith(expected)).toBe(true);
  });

  it('has places as well', () => {
    const text = '{\n\t"role": "demo",\n\t"env": "devel"\n}';
    expect(lines(text, { format: 'json' })).toContain(
      '3:2 env | unknown field env, did you mean environment?',
    );
  });
});

describe('a hostile file is refused at little cost', () => {
  const aliases = Array.from({ length: 8 }, (_, i) => {
    const name = String.fromCharCode(98 + i);
    return `${name}: &${name} [${Array(10)
      .fill(`*${String.fromCharCode(97 + i)}`)
      .join(',')}]`;
  });
  const chain = Array.from({ length: 12 }, (_, i) => `  b${i}: "${`{{b${i + 1}}}`.repeat(10)}"`);
  const hostile: readonly (readonly [string, string, RegExp])[] = [
    ['brackets only', '['.repeat(100_000), /nested far deeper/],
    ['35 levels', `${'[a: '.repeat(35)}1${']'.repeat(35)}`, /nested deeper than 32 levels/],
    ['an alias bomb', `a: &a [1,1,1,1,1,1,1,1,1,1]\n${aliases.join('\n')}\n`, /more than 200000 values/],
    [
      'a binding bomb',
      `${job}contact: "{{b0}}"\nbindings:\n${chain.join('\n')}\n  b12: x\n`,
      /too many steps|more than 262144/,
    ],
    [
      'a long binding used often',
      `${job}contact: "${'{{x}}'.repeat(50)}"\nbindings: {x: ${'y'.repeat(20_000)}}\n`,
      /more than 262144 characters/,
    ],
    ['2 MB', '#'.repeat(2 * 1024 * 1024), /larger than 1024 KiB/],
  ];
  it.each(hostile)('%s', (_name, text, expected) => {
    expect(
      problemsOf(text)
        .map(({ message }) => message)
        .join('\n'),
    ).toMatch(expected);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});
