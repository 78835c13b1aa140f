// The PartiQL that the store writes: INSERT of one item and UPDATE of one item by its key and conditions.
import type { Item, Value } from './values.ts';

export type Statement =
  | { readonly kind: 'insert'; readonly table: string; readonly item: Item }
  | {
      readonly kind: 'update';
      readonly table: string;
      readonly key: { readonly pk: string; readonly sk: string };
      readonly set: readonly (readonly [name: string, value: Value])[];
      readonly remove: readonly string[];
      /** Attributes that must hold these values, the key's aside. */
      readonly where: readonly (readonly [name: string, value: Value])[];
    };

const insertPattern = /^INSERT INTO "([^"]+)" VALUE \{(.*)\}$/;
const updatePattern = /^UPDATE "([^"]+)" SET (.*?)((?: REMOVE "[^"]+")*) WHERE (.*)$/;

export function parseStatement(text: string, parameters: readonly Value[]): Statement {
  let at = 0;
  const take = (): Value => {
    const value = parameters[at++];
    if (value === undefined) throw new Error(`too few parameters for ${text}`);
    return value;
  };
  const pairs = (part: string, separator: RegExp, pattern: RegExp): [string, Value][] =>
    part.split(separator).map((one) => {
      const name = pattern.exec(one.trim())?.[1];
      if (name === undefined) throw new Error(`cannot read ${one} of ${text}`);
      return [name, take()];
    });
  const insert = insertPattern.exec(text);
  if (insert) {
    const item = Object.fromEntries(pairs(insert[2] ?? '', /, /, /^'([^']+)': \?$/));
    return { kind: 'insert', table: insert[1] ?? '', item };
  }
  const update = updatePattern.exec(text);
  if (!update) throw new Error(`cannot read the statement ${text}`);
  const set = pairs(update[2] ?? '', /, /, /^"([^"]+)" = \?$/);
  const remove = [...(update[3] ?? '').matchAll(/REMOVE "([^"]+)"/g)].map((match) => match[1] as string);
  const conditions = pairs(update[4] ?? '', / AND /, /^"([^"]+)" = \?$/);
  const { pk, sk } = Object.fromEntries(conditions) as { pk?: string; sk?: string };
  if (pk === undefined || sk === undefined) throw new Error(`no key in ${text}`);
  const where = conditions.filter(([name]) => name !== 'pk' && name !== 'sk');
  return { kind: 'update', table: update[1] ?? '', key: { pk, sk }, set, remove, where };
}
