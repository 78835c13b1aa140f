// Update expressions from data. Every attribute name goes through a placeholder, so reserved words never matter.

export interface UpdateSpec {
  /** Absolute values. */
  readonly set: Readonly<Record<string, unknown>>;
  /** Elements to add at the end of a list attribute. */
  readonly append?: Readonly<Record<string, readonly unknown[]>>;
  readonly remove: readonly string[];
}

/** One named part of a condition: text with `#name` placeholders and its values. */
export interface Condition {
  readonly text: string;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface Rendered {
  readonly UpdateExpression: string;
  readonly ConditionExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Record<string, unknown>;
}

/** The conditions that must all hold, as the fields of a request. */
export function renderConditions(conditions: readonly Condition[]): Omit<
  Rendered,
  'UpdateExpression' | 'ExpressionAttributeValues'
> & {
  ExpressionAttributeValues?: Record<string, unknown>;
} {
  const values = Object.assign({}, ...conditions.map((condition) => condition.values)) as Record<
    string,
    unknown
  >;
  return {
    ConditionExpression: conditions.map(({ text }) => text).join(' AND '),
    ExpressionAttributeNames: Object.assign({}, ...conditions.map(({ names }) => names)) as Record<
      string,
      string
    >,
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
  };
}

/** An update on conditions, as the fields of UpdateItem or of an Update in a transaction. */
export function renderUpdate(spec: UpdateSpec, conditions: readonly Condition[]): Rendered {
  const rendered = renderConditions(conditions);
  const names = { ...rendered.ExpressionAttributeNames };
  const values = { ...rendered.ExpressionAttributeValues };
  const sets: string[] = [];
  for (const [name, value] of Object.entries(spec.set)) {
    names[`#${name}`] = name;
    values[`:new_${name}`] = value;
    sets.push(`#${name} = :new_${name}`);
  }
  for (const [name, items] of Object.entries(spec.append ?? {})) {
    names[`#${name}`] = name;
    values[`:add_${name}`] = items;
    sets.push(`#${name} = list_append(#${name}, :add_${name})`);
  }
  for (const name of spec.remove) names[`#${name}`] = name;
  const clauses = [
    ...(sets.length > 0 ? [`SET ${sets.join(', ')}`] : []),
    ...(spec.remove.length > 0 ? [`REMOVE ${spec.remove.map((name) => `#${name}`).join(', ')}`] : []),
  ];
  return {
    UpdateExpression: clauses.join(' '),
    ConditionExpression: rendered.ConditionExpression,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}
