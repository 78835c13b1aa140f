import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatKey, parseDurationMs, parsePattern, parseTarget, parseWholeJob } from '../../cli/keys.ts';
import { BorealisError } from '../../shared/lib/errors.ts';

function refusal(act: () => unknown): BorealisError {
  try {
    act();
  } catch (error) {
    if (error instanceof BorealisError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const identifier = fc.stringMatching(/^[\w\-.]{1,20}$/);

describe('a job key', () => {
  it('names a job', () => {
    expect(parseTarget('local/www/prod/hello')).toEqual({
      cluster: 'local',
      key: { role: 'www', environment: 'prod', name: 'hello' },
    });
  });

  it.each([
    ['c/r/e/n/0', [[0, 0]]],
    [
      'c/r/e/n/0-2,5',
      [
        [0, 2],
        [5, 5],
      ],
    ],
    [
      'c/r/e/n/5,1-3,2',
      [
        [1, 3],
        [5, 5],
      ],
    ],
  ])('%s names instances, sorted and without doubles', (text, ranges) => {
    expect(parseTarget(text).instances).toEqual(ranges);
  });

  it('reads back what it wrote, for any identifiers', () => {
    fc.assert(
      fc.property(identifier, identifier, identifier, identifier, (cluster, role, environment, name) => {
        const key = { role, environment, name };
        expect(parseTarget(formatKey(cluster, key))).toEqual({ cluster, key });
      }),
    );
  });

  it.each([
    ['local/www/prod', 'cluster/role/environment/name'],
    ['local//prod/hello', 'role is empty'],
    ['local/www/prod/he llo', 'name "he llo"'],
    ['local/www/prod/hello/2-0', 'reversed'],
    ['local/www/prod/hello/a', 'not an instance'],
    ['local/www/prod/hello/0/1', 'cluster/role/environment/name'],
    ['', 'cluster/role/environment/name'],
  ])('refuses %j and says what is wrong', (text, words) => {
    const error = refusal(() => parseTarget(text));
    expect(error.exitCode).toBe(6);
    expect(error.message).toContain(words);
    expect(error.message).toContain('Nothing was done');
  });

  it('may not name instances where the whole job is meant', () => {
    expect(refusal(() => parseWholeJob('c/r/e/n/0')).message).toContain('leave out the instances');
  });
});

describe('a pattern over job keys', () => {
  const hello = { role: 'www', environment: 'prod', name: 'hello.1' };

  it.each([
    ['*', true],
    ['local', true],
    ['other', false],
    ['local/www', true],
    ['local/w*/prod', true],
    ['local/*/*/hello*', true],
    ['local/www/prod/hello?1', true],
    ['local/www/prod/hello.[0-9]', true],
    ['local/www/prod/hello.[!0-9]', false],
    ['local/www/prod/hello', false],
    // A dot is a dot, not any character.
    ['local/www/prod/helloX1', false],
  ])('%s matches local/www/prod/hello.1: %s', (pattern, matches) => {
    expect(parsePattern(pattern).matches('local', hello)).toBe(matches);
  });

  it.each([
    ['*', undefined, undefined],
    ['local/www', 'www', undefined],
    ['local/www/prod/*', 'www', 'prod'],
    ['local/*/prod', undefined, undefined],
    ['local/www/p*/x', 'www', undefined],
  ])('%s narrows the listing to role %s and environment %s', (text, role, environment) => {
    const pattern = parsePattern(text);
    expect([pattern.role, pattern.environment]).toEqual([role, environment]);
  });

  it.each(['a/b/c/d/e', 'local//x', 'local/a b', 'local/[/x'])('refuses %s', (text) => {
    expect(refusal(() => parsePattern(text)).exitCode).toBe(6);
  });
});

describe('a time span', () => {
  it.each([
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['2', 2000],
    ['1.5m', 90_000],
    ['1d', 86_400_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(['', '5x', 'm', '-5s', '5m!'])('refuses %j', (text) => {
    expect(refusal(() => parseDurationMs(text)).exitCode).toBe(6);
  });
});
