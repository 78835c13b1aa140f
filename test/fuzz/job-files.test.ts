// Hostile job files in YAML, in JSON and as objects, with templates of all kinds: each is read or refused with a reason and a
// place, quickly and without a crash; whatever is read is also what the API takes.
import { describe, expect, it } from 'vitest';
import { checkConfigs } from '../../functions/api/check-configs.ts';
import { checked } from '../../functions/api/read-request.ts';
import { parseJobFile, parseJobObject } from '../../shared/config/parse-job-file.ts';
import { isBorealisError } from '../../shared/lib/errors.ts';
import { type JobSubmission, jobSubmissionSchema } from '../../shared/model/job.ts';
import {
  below,
  corrupt,
  hostileText,
  hostileValue,
  type Json,
  mutate,
  pick,
  type Random,
  randomOf,
} from './hostile.ts';
import { forEachSeed, timeoutMs } from './settings.ts';

const goodFiles: readonly Json[] = [
  {
    role: 'web',
    environment: 'prod',
    name: 'shop',
    service: true,
    instances: 3,
    bindings: { profile: { env: 'prod', port: 'http' }, image: '{{profile.env}}-{{role}}', role: 'x' },
    constraints: { rack: 'r1,r2', host: 'limit:1' },
    metadata: { team: '{{profile.env}}' },
    task: {
      resources: { cpu: 0.5, ram: '256MiB', disk: '1GiB', ports: ['http'] },
      processes: [
        { name: 'fetch', cmdline: 'curl {{image}} {{borealis.ports[http]}}' },
        { name: 'run', cmdline: './run {{borealis.instance}} {{profile[env]}}', maxFailures: 3 },
      ],
      ordering: [['fetch', 'run']],
    },
    healthCheck: { shell: { command: 'test -f ok' } },
    update: { batchSize: 2 },
    overrides: [{ instances: '2', task: { resources: { cpu: 1 } } }],
  },
  {
    jobs: [
      {
        role: 'a',
        environment: 'devel',
        name: 'one',
        task: {
          resources: { cpu: 1, ram: '64MB', disk: '1MB' },
          processes: [{ name: 'p', cmdline: 'true' }],
        },
      },
    ],
    bindings: { a: '{{b}}', b: '{{a}}', c: '{{c}}' },
  },
];

function yamlBomb(random: Random): string {
  const width = 2 + below(random, 8);
  const levels = 2 + below(random, 30);
  const lines = ['a0: &a0 [x, x]'];
  for (let level = 1; level <= levels; level++) {
    const aliases = Array.from({ length: width }, () => `*a${level - 1}`).join(', ');
    lines.push(`a${level}: &a${level} [${aliases}]`);
  }
  return `${lines.join('\n')}\nrole: web\n`;
}

const yamlTricks: readonly ((random: Random) => string)[] = [
  yamlBomb,
  () => 'a: &a\n  b: *a\nrole: *a\n',
  () => `role: web\ntask: &t\n  <<: *t\n`,
  () => `${'- '.repeat(5000)}x`,
  () => `${'['.repeat(20_000)}`,
  () => `${'{a: '.repeat(3000)}1${'}'.repeat(3000)}`,
  () => 'role: !!js/function "function () {}"\n',
  () => 'role: !!binary aGVsbG8=\nname: !!timestamp 2001-01-01\nenvironment: !!set {a, b}\n',
  () => '? [a, b]\n: c\n? {x: 1}\n: d\n',
  () => '__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}\n',
  () => '%YAML 1.1\n---\nrole: yes\nname: 0o17\nenvironment: 1:30:00\n',
  () => `role: "${'\\u0000\\ud800\\x07'.repeat(50)}"\n`,
  () => `name: |\n${'  x\n'.repeat(30_000)}`,
  () => 'role: web\nrole: db\nrole: web\n',
  () => `${Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n')}`,
  () => `&${'a'.repeat(5000)} *${'a'.repeat(5000)}`,
  (random) => `${hostileText(random)}: ${hostileText(random)}\n`,
  () => '\t- a\n \t b: c',
  () => '--- a\n--- b\n...\n',
];

function template(random: Random): string {
  const names = [
    'a',
    'b',
    'profile.env',
    'profile',
    'role',
    'borealis.instance',
    'borealis.ports[x]',
    'job.name',
    '&a',
    hostileText(random).slice(0, 40),
  ];
  const depth = below(random, 6);
  let text = pick(random, names);
  for (let level = 0; level < depth; level++)
    text = pick(random, [
      `{{${text}}}`,
      `{{{{${text}}}[x]}}`,
      `{{${text}.${text}}}`,
      `{{ ${text}`,
      `${text}}}`,
    ]).slice(0, 3000);
  return text;
}

function withTemplates(random: Random, value: Json): Json {
  if (typeof value === 'string') return random() < 0.15 ? template(random) : value;
  if (Array.isArray(value)) return value.map((item: Json) => withTemplates(random, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withTemplates(random, item as Json)]),
  );
}

/** A chain of bindings, each of which names the next several times. */
function explosive(random: Random): Json {
  const levels = 3 + below(random, 40);
  const times = 1 + below(random, 12);
  const bindings = Object.fromEntries(
    Array.from({ length: levels }, (_, level) => [
      `b${level}`,
      level === levels - 1 ? 'x'.repeat(1 + below(random, 20_000)) : `{{b${level + 1}}}`.repeat(times),
    ]),
  );
  return { ...(goodFiles[0] as object), bindings: { ...bindings, profile: { env: 'e' }, image: '{{b0}}' } };
}

function isRefusal(error: unknown): boolean {
  return (
    isBorealisError(error, 'INVALID_CONFIG') ||
    isBorealisError(error, 'INVALID_REQUEST') ||
    isBorealisError(error, 'NOT_FOUND')
  );
}

function parsed(random: Random): string {
  let file = pick(random, goodFiles);
  if (random() < 0.4) file = withTemplates(random, file);
  if (random() < 0.1) file = explosive(random);
  for (let left = below(random, 4); left > 0; left--) file = mutate(random, file);
  const bindings = random() < 0.3 ? { [hostileText(random)]: hostileText(random) } : {};
  const kind = below(random, 5);
  const options = { fileName: 'job', bindings } as const;
  const result = (() => {
    if (kind === 0) return parseJobObject(random() < 0.9 ? file : hostileValue(random), options);
    if (kind === 1) return parseJobFile(pick(random, yamlTricks)(random), { ...options, format: 'yaml' });
    const text = JSON.stringify(file, null, random() < 0.5 ? 2 : 0);
    const format = pick(random, ['yaml', 'json'] as const);
    return parseJobFile(random() < 0.5 ? text : corrupt(random, text), { ...options, format });
  })();
  for (const submission of result.submissions) {
    // The way to the API and what it checks there.
    const sent: unknown = JSON.parse(JSON.stringify(submission));
    checkConfigs(checked(jobSubmissionSchema, sent, 'body') as JobSubmission);
  }
  return 'read';
}

describe('hostile job files', () => {
  it('are read as the API takes them, or refused', { timeout: timeoutMs }, async () => {
    const outcomes = await forEachSeed('job files', (seed) => {
      try {
        return parsed(randomOf(seed));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return (error as { code: string }).code;
      }
    });
    expect(outcomes.get('INVALID_CONFIG')).toBeGreaterThan(0);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
