import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalogue } from '../../cli/catalogue.ts';
import { type ExitCode, errorCodesOf, exitMeanings } from '../../cli/exit-codes.ts';
import { referenceText } from '../../cli/reference.ts';
import { errorCodes } from '../../shared/lib/errors.ts';
import { runCli } from './support/fake-io.ts';

const commands = catalogue.filter(({ path }) => path !== 'completion').map(({ path }) => path);

describe('help', () => {
  it.each(commands)('of %s has examples, exit codes and goes to stdout', async (path) => {
    const { code, out, err } = await runCli([...path.split(' '), '--help']);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain(`Usage: borealis ${path}`);
    expect(out).toContain(`\nExamples:\n  $ `);
    expect(out).toContain('\nExit codes:\n');
    expect(out).toMatch(/ 0 {2}done/);
  });

  it.each(commands)('of %s shows examples of that command', async (path) => {
    const module = await catalogue.find((entry) => entry.path === path)?.load();
    expect(module?.examples.length).toBeGreaterThanOrEqual(2);
    for (const [line, what] of module?.examples ?? []) {
      expect(line).toContain(`borealis ${path}`);
      expect(what).not.toBe('');
    }
  });

  it('of the program lists every group and single command', async () => {
    const { code, out } = await runCli(['--help']);
    expect(code).toBe(0);
    for (const path of catalogue.map((entry) => entry.path)) expect(out).toContain(path.split(' ')[0]);
  });

  it('of a group lists its commands without loading them', async () => {
    const { out } = await runCli(['job', '--help']);
    for (const path of commands.filter((one) => one.startsWith('job '))) expect(out).toContain(path.slice(4));
  });
});

describe('a command line that is wrong', () => {
  it.each([
    [['jbo', 'status'], 'Did you mean job?'],
    [['job', 'staus'], 'Did you mean status?'],
    [['job', 'status', 'a/b/c/d', '--jsno'], 'Did you mean --json?'],
    [['job', 'status'], "missing required argument 'key'"],
    [['job', 'create', 'x.yaml', '--wait-until', 'SOON'], 'Allowed choices are PENDING, RUNNING, FINISHED'],
    [['replay'], "required option '--nodes <file>'"],
  ])('%j ends with 2 and helps', async (argv, words) => {
    const { code, out, err } = await runCli(argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(words);
  });
});

describe('exit codes', () => {
  it('of every error code of the API have a meaning', () => {
    for (const [code, { exitCode }] of Object.entries(errorCodes)) {
      expect(exitMeanings, code).toHaveProperty(String(exitCode));
    }
  });

  it.each([
    [3, 'INVALID_CONFIG'],
    [4, 'JOB_EXISTS'],
    [6, 'NOT_FOUND'],
    [7, 'UNAVAILABLE'],
    [9, 'TIMEOUT'],
    [10, 'THROTTLED'],
    [20, 'INTERNAL'],
    [30, 'FORBIDDEN'],
  ] satisfies [ExitCode, string][])('%d is that of %s', (exitCode, code) => {
    expect(errorCodesOf(exitCode)).toContain(code);
  });
});

describe('the reference', () => {
  it('is what the commands say (node scripts/write-cli-reference.ts writes it)', async () => {
    const written = readFileSync(new URL('../../docs/reference/cli.md', import.meta.url), 'utf8');
    expect(written).toBe(await referenceText());
  });
});
