// The documented events: files are current, examples are valid, and rules people write for them can rely on both.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { commandSchema, commandSource } from '../../../shared/api/commands.ts';
import { eventDocs } from '../../../shared/api/event-docs.ts';
import { eventDetailSchemas } from '../../../shared/model/events.ts';

const dir = fileURLToPath(new URL('../../../docs/reference/events/', import.meta.url));

function examplesOf(schema: z.ZodType): readonly unknown[] {
  return (z.globalRegistry.get(schema)?.examples ?? []) as readonly unknown[];
}

describe('docs/reference/events', () => {
  const docs = eventDocs();

  it('holds exactly the generated files (node scripts/write-event-schemas.ts)', () => {
    expect(readdirSync(dir).toSorted()).toEqual(Object.keys(docs).toSorted());
  });

  it.each(Object.keys(docs))('%s is current', (file) => {
    const stored = readFileSync(`${dir}${file}`, 'utf8');
    const generated = docs[file] ?? '';
    if (file.endsWith('.json')) expect(JSON.parse(stored)).toEqual(JSON.parse(generated));
    else expect(stored).toBe(generated);
  });
});

describe('an event', () => {
  it.each(Object.entries(eventDetailSchemas))('%s has examples that obey its schema', (_type, schema) => {
    const examples = examplesOf(schema);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(schema.safeParse(example)).toMatchObject({ success: true });
  });

  it.each(Object.entries(eventDetailSchemas))('%s says its version and its cluster', (_type, schema) => {
    const required = z.toJSONSchema(schema).required ?? [];
    expect(required).toContain('version');
    expect(required).toContain('cluster');
  });
});

describe('a command', () => {
  const examples = examplesOf(commandSchema);

  it.each(examples.map((example) => [example]))('in the docs is valid: %j', (example) => {
    expect(commandSchema.safeParse(example)).toMatchObject({ success: true });
  });

  it.each([
    ['another version', { version: 2 }],
    ['no version', { version: undefined }],
    ['an unknown action', { action: 'explode' }],
    ['an unknown field', { colour: 'red' }],
    ['a role with a slash', { role: 'a/b' }],
    ['an id with spaces', { id: 'a b' }],
    ['a body with an unknown field', { body: { now: true } }],
  ])('with %s is refused', (_what, change) => {
    const kill = { version: 1, role: 'web', environment: 'prod', name: 'shop', action: 'kill', body: {} };
    expect(commandSchema.safeParse(kill)).toMatchObject({ success: true });
    expect(commandSchema.safeParse({ ...kill, ...change })).toMatchObject({ success: false });
  });

  it('has one source for each role and environment, whatever dots and dashes they contain', () => {
    expect(commandSource({ role: 'a.b', environment: 'c-d' })).toBe('borealis/a.b/c-d');
  });
});
