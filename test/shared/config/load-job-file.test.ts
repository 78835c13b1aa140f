// Job files on disk: the examples of the repository, TypeScript files, and files that can't be read.
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkSubmission } from '../../../shared/config/check-submission.ts';
import { jobFileJsonSchema } from '../../../shared/config/json-schema.ts';
import { loadJobFile } from '../../../shared/config/load-job-file.ts';
import { parseJobObject } from '../../../shared/config/parse-job-file.ts';
import type { FileProblem } from '../../../shared/config/problem.ts';
import { type BorealisError, isBorealisError } from '../../../shared/lib/errors.ts';

const root = new URL('../../../', import.meta.url).pathname;
let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'borealis-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function write(name: string, text: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

interface Outcome {
  readonly jobs?: readonly { readonly name: string }[];
  readonly code?: string;
  readonly message?: string;
  readonly problems?: readonly FileProblem[];
}

/**
 * Loads a file in a process of its own, as the CLI does: the test runner has a loader of its own for modules. With `edit`
 * the file is loaded, changed to that and loaded again.
 */
function loadInNode(path: string, edit?: string): Outcome {
  const script = `
    import { writeFileSync } from 'node:fs';
    const { loadJobFile } = await import(process.argv[1]);
    try {
      let file = await loadJobFile(process.argv[2]);
      if (process.argv[3] !== undefined) {
        writeFileSync(process.argv[2], process.argv[3]);
        file = await loadJobFile(process.argv[2]);
      }
      console.log(JSON.stringify({ jobs: file.submissions }));
    } catch ({ code, message, details }) {
      console.log(JSON.stringify({ code, message, problems: details?.problems }));
    }`;
  const loader = new URL('../../../shared/config/load-job-file.ts', import.meta.url).href;
  const args = ['--input-type=module', '-e', script, loader, path, ...(edit === undefined ? [] : [edit])];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return JSON.parse(run.stdout) as Outcome;
}

async function refusal(path: string): Promise<BorealisError> {
  try {
    await loadJobFile(path);
  } catch (error) {
    if (isBorealisError(error, 'INVALID_CONFIG')) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

const problems = (error: BorealisError) => error.details.problems as readonly FileProblem[];
const body = `role: 'demo', environment: 'test', name: 'x', task: { resources: { cpu: 1, ramMb: 1, diskMb: 1 }, processes: [{ name: 'a', cmdline: 'true' }] }`;

describe('the examples', () => {
  it.each([['hello-service'], ['hello-batch']])('%s is accepted', async (name) => {
    const { submissions } = await loadJobFile(join(root, `examples/${name}/job.yaml`));
    expect(submissions.map((submission) => submission.name)).toEqual([name]);
    expect(submissions.flatMap((submission) => checkSubmission(submission))).toEqual([]);
  });

  it('the TypeScript form is accepted', () => {
    const { jobs } = loadInNode(join(root, 'examples/typescript/job.ts'));
    expect(jobs?.map(({ name }) => name)).toEqual(['hello-typescript-east', 'hello-typescript-west']);
  });

  it('hello-service is a checked service of three, hello-batch three steps and a clean-up', async () => {
    const [service] = (await loadJobFile(join(root, 'examples/hello-service/job.yaml'))).submissions;
    expect(service?.configs[0]).toMatchObject({
      instances: [[0, 2]],
      task: { service: true, resources: { ports: ['health'] }, healthCheck: { http: { port: 'health' } } },
    });
    const [batch] = (await loadJobFile(join(root, 'examples/hello-batch/job.yaml'))).submissions;
    expect(batch?.configs[0]?.task.ordering).toEqual([['fetch', 'transform', 'report']]);
    expect(batch?.configs[0]?.task.processes.filter(({ final }) => final).map(({ name }) => name)).toEqual([
      'cleanup',
    ]);
  });
});

describe('a TypeScript job file', () => {
  it('exports a job as default, or jobs by name', async () => {
    const typed = `const job: { role: string } & Record<string, unknown> = { ${body} };\nexport default job;\n`;
    expect(loadInNode(await write('one.ts', typed)).jobs?.map(({ name }) => name)).toEqual(['x']);
    const named = await write('named.mjs', `export const jobs = [{ ${body} }];\n`);
    expect(loadInNode(named).jobs?.map(({ name }) => name)).toEqual(['x']);
  });

  it('names path, line and column of a mistake inside the object, and shows the line', async () => {
    const path = await write('wrong.mts', `export default [{ ${body}, instances: '3', colour: 'red' }];\n`);
    const { message, problems: found } = loadInNode(path);
    expect(found?.map((problem) => [problem.file, problem.path.join('.'), problem.message])).toEqual([
      [path, '0.instances', 'expected a number, got the text "3"'],
      [path, '0.colour', 'unknown field colour'],
    ]);
    expect(message).toContain('[0].colour');
    const [instances, colour] = found ?? [];
    expect(instances).toMatchObject({ line: 1, column: `export default [{ ${body}, `.length + 1 });
    expect(colour).toMatchObject({
      line: 1,
      column: `export default [{ ${body}, instances: '3', `.length + 1,
    });
    expect(message).toContain("instances: '3', colour: 'red'");
  });

  const failing: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'it throws',
      'mts',
      `const x: number = 1;\n\nthrow new Error('no such region');\nexport default x;\n`,
      /Error: no such region/,
    ],
    [
      'it is no JavaScript',
      'mjs',
      'export const a = 1;\nexport const b = 2;\nexport const = 3;\n',
      /SyntaxError/,
    ],
    [
      'it is no TypeScript',
      'mts',
      'export const a = 1;\nexport const b = 2;\nexport const = 3;\n',
      /SyntaxError/,
    ],
  ];
  it.each(failing)('names the line when %s', async (name, extension, text, expected) => {
    const outcome = loadInNode(await write(`${name.replaceAll(' ', '-')}.${extension}`, text));
    expect(outcome.code).toBe('INVALID_CONFIG');
    expect(outcome.problems?.[0]?.message).toMatch(expected);
    expect(outcome.problems?.[0]?.line).toBe(3);
  });

  it('is read again after a change', async () => {
    const path = await write('again.mjs', `export default { ${body} };`);
    const { jobs } = loadInNode(path, `export default { ${body.replace("'x'", "'changed'")} };`);
    expect(jobs?.[0]?.name).toBe('changed');
  });
});

describe('an exported value', () => {
  const job = () => ({
    role: 'demo',
    environment: 'test',
    name: 'x',
    task: { resources: { cpu: 1, ramMb: 1, diskMb: 1 }, processes: [{ name: 'a', cmdline: 'true' }] },
  });
  const circle: Record<string, unknown> = job();
  circle.metadata = circle;
  const values: readonly (readonly [string, unknown, string])[] = [
    ['a function', { ...job(), contact: () => 1 }, "a function can't be part of a job"],
    ['a class instance', { ...job(), contact: new Date(0) }, 'only plain objects'],
    ['a circle', circle, 'contains itself'],
    ['a prototype', JSON.parse('{"__proto__": 1}'), '__proto__ is not allowed as a name'],
    ['not a number', { ...job(), priority: Number.NaN }, 'NaN is not a number'],
    ['a symbol', Symbol('x'), "a symbol can't be part of a job"],
    ['depth', JSON.parse('['.repeat(50) + ']'.repeat(50)), 'nested deeper than 32 levels'],
  ];
  it.each(values)('may not hold %s', (_name, value, expected) => {
    expect(() => parseJobObject(value, { fileName: 'job.ts' })).toThrow(expected);
  });
});

describe('a file that is no job file', () => {
  it('is refused with what to do', async () => {
    await mkdir(join(directory, 'folder.yaml'));
    const cases: readonly (readonly [string, RegExp])[] = [
      [join(directory, 'missing.yaml'), /there is no such file; check the path/],
      [join(directory, 'folder.yaml'), /is not a file/],
      [await write('job.toml', 'x'), /its name must end in/],
      [await write('latin.yaml', new Uint8Array([0x61, 0xff, 0xfe])), /is not UTF-8 text/],
      [await write('big.yaml', '#'.repeat(1024 * 1024 + 1)), /larger than 1024 KiB/],
    ];
    for (const [path, expected] of cases) expect((await refusal(path)).message).toMatch(expected);
  });

  it('may have any name when its format is given', async () => {
    const json = JSON.stringify({
      role: 'demo',
      environment: 'test',
      name: 'x',
      task: { resources: { cpu: 1, ramMb: 1, diskMb: 1 }, processes: [{ name: 'a', cmdline: 'true' }] },
    });
    const path = await write('job.aurora', json);
    expect((await loadJobFile(path, { format: 'json' })).submissions).toHaveLength(1);
    expect((await refusal(path)).message).toMatch(/its name must end in/);
  });

  it('may begin with a byte order mark and have Windows line ends', async () => {
    const text = '\uFEFFrole: demo\r\nenvironment: test\r\nname: x\r\ncolour: red\r\n';
    const found = problems(await refusal(await write('windows.yaml', text)));
    expect(found.map(({ line, column, path }) => `${line}:${column} ${path.join('.')}`)).toEqual([
      '1:1 task',
      '4:1 colour',
    ]);
  });
});

describe('the JSON Schema for editors', () => {
  it('is the one in docs; if not, run node scripts/write-job-file-schema.ts', async () => {
    const written: unknown = JSON.parse(
      await readFile(join(root, 'docs/reference/job-file.schema.json'), 'utf8'),
    );
    expect(written).toEqual(JSON.parse(JSON.stringify(jobFileJsonSchema())));
  });

  it('knows each field once and lets a template stand for a number', () => {
    const { $defs } = jobFileJsonSchema() as {
      $defs: { job: { properties: Record<string, { anyOf?: unknown[] }> } };
    };
    expect(Object.keys($defs.job.properties)).toEqual(
      expect.arrayContaining(['role', 'task', 'healthCheck', 'overrides']),
    );
    expect($defs.job.properties.instances?.anyOf).toHaveLength(2);
  });
});
