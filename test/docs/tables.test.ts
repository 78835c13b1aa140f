// The tables of docs/reference that promise a test per row: every test they name exists.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const files = ['docs/reference/disagreements.md', 'docs/reference/crash-windows.md'];

function rowsOf(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.slice(2, -2).split(' | '));
}

describe.each(files)('%s', (file) => {
  const rows = rowsOf(file);

  it('has rows of equal length', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(new Set(rows.map(({ length }) => length)).size).toBe(1);
  });

  it.each(rows.map((row) => [row.slice(0, -1).join(' | '), row.at(-1) ?? '']))('%s', (_what, named) => {
    const match = /^`(test\/[\w./-]+)`: (.+)$/.exec(named);
    expect(match, named).not.toBeNull();
    const [, path = '', title = ''] = match ?? [];
    const source = readFileSync(path, 'utf8').replaceAll("\\'", "'");
    expect(
      [`'${title}'`, `"${title}"`].some((text) => source.includes(text)),
      title,
    ).toBe(true);
  });
});
