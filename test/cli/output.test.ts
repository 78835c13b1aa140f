import { describe, expect, it } from 'vitest';
import { painter, plain } from '../../cli/output/style.ts';
import { tableLines } from '../../cli/output/table.ts';
import { formatMb, formatMilli, formatShare, formatSpan } from '../../cli/output/words.ts';

const colourless = painter({ isTTY: false }, { env: {}, color: true });
const esc = String.fromCodePoint(27);

describe('colours', () => {
  it('are used on a terminal', () => {
    expect(painter({ isTTY: true }, { env: {}, color: true })('red', 'x')).toContain(`${esc}[31m`);
  });

  it.each([
    ['in a pipe', { isTTY: false }, {}, true],
    ['with NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, true],
    ['with --no-color', { isTTY: true }, {}, false],
    ['on a dumb terminal', { isTTY: true }, { TERM: 'dumb' }, true],
  ])('are off %s', (_case, stream, env, color) => {
    expect(painter(stream, { env, color })('red', 'x')).toBe('x');
  });

  it('are on when NO_COLOR is set to nothing, as no-color.org says', () => {
    expect(painter({ isTTY: true }, { env: { NO_COLOR: '' }, color: true })('red', 'x')).not.toBe('x');
  });
});

describe('a table', () => {
  it('aligns columns, numbers to the right, without spaces at the ends of lines', () => {
    const lines = tableLines(
      ['NAME', 'TASKS', 'NOTE'],
      [
        ['a', 5, 'x'],
        ['longer', 120, ''],
      ],
      colourless,
    );
    expect(lines).toEqual(['NAME    TASKS  NOTE', 'a           5  x', 'longer    120']);
  });

  it('counts wide characters as two columns', () => {
    const lines = tableLines(
      ['A', 'B'],
      [
        ['日本', 'x'],
        ['abcd', 'y'],
      ],
      colourless,
    );
    expect(lines).toEqual(['A     B', '日本  x', 'abcd  y']);
  });

  it('is as wide with colours as without', () => {
    const paint = painter({ isTTY: true }, { env: {}, color: true });
    const rows = [[{ text: 'RUNNING', format: 'green' as const }, 'x']];
    const [, coloured] = tableLines(['STATE', 'B'], rows, paint);
    const [, bare] = tableLines(['STATE', 'B'], rows, colourless);
    expect(coloured).not.toBe(bare);
    expect(plain(coloured ?? '')).toBe(bare);
  });

  it('lets nothing of a job control the terminal', () => {
    const [, line] = tableLines(['MESSAGE'], [[`a${esc}[2Jb\r\nc${esc}]0;title\u0007`]], colourless);
    expect(line).not.toMatch(/\p{Cc}/u);
  });
});

describe('numbers in words', () => {
  it.each([
    [formatMilli(2500), '2.5'],
    [formatMilli(0), '0'],
    [formatMb(512), '512 MiB'],
    [formatMb(2048), '2 GiB'],
    [formatMb(1536), '1.5 GiB'],
    [formatMb(1_572_864), '1.5 TiB'],
    [formatShare(0.928), '92.8%'],
    [formatShare(1), '100%'],
    [formatSpan(45_000), '45s'],
    [formatSpan(12 * 60_000), '12m'],
    [formatSpan(200 * 60_000), '3h20m'],
    [formatSpan(52 * 3_600_000), '2d4h'],
    [formatSpan(-5), '0s'],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected);
  });
});
