import { describe, expect, it } from 'vitest';
import { type Json, resolve, type Scope } from '../../../local/template/intrinsics.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';

const scope: Scope = {
  ref: (id, at) => {
    if (id === 'Missing') throw new BorealisError('INVALID_CONFIG', `${at}: no ${id}`);
    return `ref-${id}`;
  },
  attribute: (id, attribute) => `${id}#${attribute}`,
  importValue: (name) => `imported-${name}`,
};

describe('intrinsic functions', () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: CloudFormation's own placeholders
  it.each<[string, Json, Json]>([
    ['plain values', { a: [1, 'x', true, null] }, { a: [1, 'x', true, null] }],
    ['Ref', { Ref: 'Queue' }, 'ref-Queue'],
    ['GetAtt as a list', { 'Fn::GetAtt': ['Queue', 'Arn'] }, 'Queue#Arn'],
    ['GetAtt as a text', { 'Fn::GetAtt': 'Nested.Outputs.Arn' }, 'Nested#Outputs.Arn'],
    ['Join of mixed parts', { 'Fn::Join': ['/', ['a', { Ref: 'B' }, 3]] }, 'a/ref-B/3'],
    ['Sub with references', { 'Fn::Sub': '${A}-${B.Arn}-${!Kept}' }, 'ref-A-B#Arn-${Kept}'],
    ['Sub with its own names', { 'Fn::Sub': ['${x}:${Y}', { x: { Ref: 'Q' } }] }, 'ref-Q:ref-Y'],
    ['ImportValue', { 'Fn::ImportValue': { 'Fn::Sub': 'stack:${Name}' } }, 'imported-stack:ref-Name'],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: CloudFormation's own placeholders
    ['Select and Split', { 'Fn::Select': [1, { 'Fn::Split': ['|', 'a|b|c'] }] }, 'b'],
    ['deep inside', { a: { b: [{ c: { Ref: 'D' } }] } }, { a: { b: [{ c: 'ref-D' }] } }],
    [
      'a Condition property of an IAM policy',
      { Condition: { Bool: { x: 'y' } } },
      { Condition: { Bool: { x: 'y' } } },
    ],
  ])('%s', (_, value, expected) => {
    expect(resolve(value, scope, 'stack/Id')).toEqual(expected);
  });

  it.each<[string, Json, string]>([
    [
      'an unknown function',
      { list: [{ 'Fn::GetAZs': '' }] },
      'stack/Id.list[0]: uses Fn::GetAZs, which the embedded stack does not know',
    ],
    ['a name nobody has', { deep: { Ref: 'Missing' } }, 'stack/Id.deep: no Missing'],
    ['a Select past the end', { 'Fn::Select': [4, ['a']] }, 'finds nothing at index 4'],
    ['a Join of an object', { 'Fn::Join': ['', [{ a: 1 }]] }, 'needs a text'],
    ['a Ref of a list', { Ref: ['a'] }, 'needs a text'],
  ])('%s is refused with its place', (_, value, message) => {
    expect(() => resolve(value, scope, 'stack/Id')).toThrow(message);
  });
});
