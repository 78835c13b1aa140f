import { describe, expect, it } from 'vitest';
import { redact } from '../../../shared/lib/redact.ts';

const shown = (value: unknown) => JSON.parse(JSON.stringify(value, redact)) as unknown;

describe('what is logged', () => {
  it.each([
    [
      'a launch',
      { launch: { taskId: 't', config: { processes: [{ cmdline: 'x' }] } } },
      { launch: { taskId: 't', config: '[redacted]' } },
    ],
    ['a row', { error: { Item: { pk: { S: 'a' } } } }, { error: { Item: '[redacted]' } }],
    [
      'reasons of a cancelled transaction',
      { CancellationReasons: [{ Item: {} }] },
      { CancellationReasons: '[redacted]' },
    ],
    [
      'a message',
      { Records: [{ messageId: 'm', body: '{}' }] },
      { Records: [{ messageId: 'm', body: '[redacted]' }] },
    ],
    [
      'a request',
      { headers: { Authorization: 'AWS4 x', accept: 'y' } },
      { headers: { Authorization: '[redacted]', accept: 'y' } },
    ],
    [
      'credentials',
      { token: 't', sessionToken: 's', accessKeyId: 'a' },
      { token: '[redacted]', sessionToken: '[redacted]', accessKeyId: 'a' },
    ],
  ])('shows of %s no content', (_what, value, expected) => {
    expect(shown(value)).toEqual(expected);
  });

  it('keeps what a person looks for', () => {
    const line = {
      requestId: 'r',
      job: 'www/prod/hello',
      taskId: 't',
      launches: ['t1'],
      tasks: 3,
      bytes: 7,
      nothing: null,
    };
    expect(shown(line)).toEqual(line);
  });

  it('does not repeat a text that is not JSON', () => {
    let error: unknown;
    try {
      JSON.parse('{"password": hunter2}');
    } catch (thrown) {
      error = thrown;
    }
    expect(String(error)).toContain('hunter2');
    expect(
      JSON.stringify({ error, cause: { name: 'SyntaxError', message: 'hunter2' } }, redact),
    ).not.toContain('hunter2');
  });
});
