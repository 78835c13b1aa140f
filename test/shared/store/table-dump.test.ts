// A row goes through a line of text unchanged, whatever types it holds: a backup that bends a row is none.
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemOf, lineOf } from '../../../shared/store/table-dump.ts';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
const { value } = fc.letrec<{ value: AttributeValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string().map((S) => ({ S })),
    fc.integer().map((number) => ({ N: String(number) })),
    fc.boolean().map((BOOL) => ({ BOOL })),
    bytes.map((B) => ({ B })),
    fc.array(bytes, { minLength: 1, maxLength: 3 }).map((BS) => ({ BS })),
    fc.array(fc.string(), { minLength: 1, maxLength: 3 }).map((SS) => ({ SS })),
    fc.array(tie('value'), { maxLength: 3 }).map((L) => ({ L })),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), tie('value'), { maxKeys: 3 }).map((M) => ({ M })),
  ),
}));

describe('a row as a line', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), value, { maxKeys: 5 }), (item) => {
        const line = lineOf(item);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(itemOf(line)).toEqual(item);
      }),
    );
  });

  it('holds bytes in base64, as AWS writes them', () => {
    expect(lineOf({ b: { B: new Uint8Array([1, 2, 255]) } })).toBe('{"b":{"B":"AQL/"}}\n');
  });
});
