// What a target gets from an event.
import { describe, expect, it } from 'vitest';
import { compileInput, type TargetInput } from '../../../local/events/target-input.ts';

const event = {
  id: 'e1',
  'detail-type': 'Order Placed',
  detail: { order: { id: 4711, note: 'say "hi" \\ now' }, items: ['a', 'b'], paid: true },
};
const input = (target: TargetInput) => compileInput(target)(event);

describe('a target', () => {
  it('gets the whole event, a part of it, or a constant', () => {
    expect(JSON.parse(input({}))).toEqual(event);
    expect(input({ InputPath: '$.detail.items' })).toBe('["a","b"]');
    expect(input({ InputPath: '$.detail-type' })).toBe('"Order Placed"');
    expect(input({ InputPath: '$.detail.nothing' })).toBe('null');
    expect(input({ Input: '{"constant":1}' })).toBe('{"constant":1}');
  });

  it('gets a template with values as JSON outside quotes and as text inside', () => {
    const InputPathsMap = {
      id: '$.detail.order.id',
      note: '$.detail.order.note',
      items: '$.detail.items',
      second: '$.detail.items[1]',
      gone: '$.detail.gone',
    };
    const InputTemplate =
      '{"name":"order-<id>","id":<id>,"note":<note>,"said":"it: <note>","items":<items>,"b":"<second>","gone":"<gone>"}';
    expect(JSON.parse(input({ InputTransformer: { InputPathsMap, InputTemplate } }))).toEqual({
      name: 'order-4711',
      id: 4711,
      note: 'say "hi" \\ now',
      said: 'it: say "hi" \\ now',
      items: ['a', 'b'],
      b: 'b',
      gone: '',
    });
  });

  it('can have the whole event in a template, and signs that name nothing stay', () => {
    const InputTemplate = '{"event":<aws.events.event>,"less":"1 <2 and <unknown>"}';
    expect(JSON.parse(input({ InputTransformer: { InputTemplate } }))).toEqual({
      event,
      less: '1 <2 and <unknown>',
    });
  });

  it('refuses a path it does not understand', () => {
    expect(() => compileInput({ InputPath: '$..id' })).toThrow('$..id');
  });
});
