// Every limit of what the intakes take, read out of their schemas: docs/reference/limits.md is written from it, and a test
// fails for a text, list or map that has none.
import * as z from 'zod';
import { commandSchema } from '../shared/api/commands.ts';
import { routes } from '../shared/api/routes.ts';
import { fileSchema } from '../shared/config/job-file.ts';
import { agentReportSchema } from '../shared/model/protocol.ts';

/** One text, list, map or number of an intake. */
export interface Limit {
  readonly intake: string;
  /** `configs[].task.processes[].name`; `{}` stands for any name of a map. */
  readonly path: string;
  readonly kind: 'text' | 'list' | 'map' | 'number';
  /** As people read it; undefined: there is none. */
  readonly limit: string | undefined;
}

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly items?: Schema | false;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly propertyNames?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

/** The schemas of what comes from outside, by the name of the intake. */
function intakes(): readonly (readonly [string, z.ZodType])[] {
  const ofRoutes = Object.values(routes).flatMap(({ method, path, params, query, body }) => {
    const parts = [
      ['path', params],
      ['query', query],
      ['body', body],
    ] as const;
    return parts.flatMap(([part, schema]) =>
      schema === undefined ? [] : [[`${method} ${path} ${part}`, schema as z.ZodType] as const],
    );
  });
  return [
    ...ofRoutes,
    ['command of another service', commandSchema],
    ['report of an agent', agentReportSchema],
    ['job file', fileSchema],
  ];
}

/** All of them, in the order of the intakes, each place once. */
export function limitsOfIntakes(): Limit[] {
  const found = new Map<string, Limit>();
  for (const [intake, schema] of intakes()) {
    const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
    const add = (path: string, kind: Limit['kind'], limit: string | undefined) => {
      found.set(`${intake} ${path} ${kind} ${limit}`, { intake, path, kind, limit });
    };
    walk(json, '', add, json.$defs ?? {});
  }
  return [...found.values()];
}

type Add = (path: string, kind: Limit['kind'], limit: string | undefined) => void;

function walk(schema: Schema, path: string, add: Add, defs: Readonly<Record<string, Schema>>): void {
  const target = schema.$ref === undefined ? undefined : defs[schema.$ref.replace('#/$defs/', '')];
  if (target) walk(target, path, add, defs);
  for (const one of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]) {
    walk(one, path, add, defs);
  }
  if (schema.type === 'string') add(path, 'text', limitOfText(schema));
  if (schema.type === 'number' || schema.type === 'integer') add(path, 'number', limitOfNumber(schema));
  if (schema.type === 'array') {
    add(path, 'list', limitOfList(schema));
    for (const one of schema.prefixItems ?? []) walk(one, `${path}[]`, add, defs);
    if (schema.items) walk(schema.items, `${path}[]`, add, defs);
  }
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    walk(one, path === '' ? name : `${path}.${name}`, add, defs);
  }
  const { additionalProperties: more } = schema;
  if (typeof more !== 'object') return;
  // A map of anything is bounded by the size of the whole, as every intake is.
  if (Object.keys(more).length === 0) return;
  add(path, 'map', schema.maxProperties === undefined ? undefined : `${schema.maxProperties} entries`);
  if (schema.propertyNames) walk({ type: 'string', ...schema.propertyNames }, `${path}{} (name)`, add, defs);
  walk(more, `${path}{}`, add, defs);
}

const range = (least: number | undefined, most: number | undefined) =>
  most === undefined ? undefined : least === undefined ? `at most ${most}` : `${least} to ${most}`;

function limitOfText(schema: Schema): string | undefined {
  if (schema.enum || schema.const !== undefined) return 'one of a set';
  if (schema.maxLength !== undefined) return `${range(schema.minLength, schema.maxLength)} characters`;
  if (schema.format === 'date-time') return 'a time';
  // A pattern without * and + has a longest text.
  return schema.pattern !== undefined &&
    !/[*+]|\{\d+,\}/.test(schema.pattern.replaceAll(/\[[^\]]*\]|\\./g, ''))
    ? `\`${schema.pattern}\``
    : undefined;
}

function limitOfList(schema: Schema): string | undefined {
  if (schema.prefixItems && !schema.items) return `${schema.prefixItems.length} items`;
  const items = range(schema.minItems, schema.maxItems);
  return items === undefined ? undefined : `${items} items`;
}

function limitOfNumber(schema: Schema): string | undefined {
  return range(schema.minimum ?? schema.exclusiveMinimum, schema.maximum);
}

/** docs/reference/limits.md. A limit that several intakes have at the same place is said once. */
export function limitsDocument(): string {
  const byRow = new Map<string, string[]>();
  for (const { intake, path, kind, limit } of limitsOfIntakes()) {
    if (path === '' || (kind === 'number' && limit === undefined)) continue;
    const row = `| \`${path.replaceAll('|', '\\|')}\` | ${kind} | ${(limit ?? 'none').replaceAll('|', '\\|')} |`;
    byRow.set(row, [...(byRow.get(row) ?? []), intake]);
  }
  const sections = new Map<string, string[]>();
  for (const [row, where] of byRow) {
    const name = where.length > 6 ? 'Many routes' : where.join(', ');
    sections.set(name, [...(sections.get(name) ?? []), row]);
  }
  const parts = [...sections].map(([name, rows]) => {
    return `## ${name}\n\n| Place | What | Limit |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Limits of what is taken in

Written by \`node scripts/write-limits.ts\` from the schemas of the intakes; a test fails if a text, a list or a map has no limit. Numbers without
a limit of their own are bounded by what they are used for. \`[]\` is each item of a list, \`{}\` each entry of a map. Sizes of whole bodies, messages and
files: [security.md](../security.md#limits-of-what-is-taken-in).

${parts.join('\n')}`;
}
