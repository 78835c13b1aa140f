// The events and commands as files of docs/reference/events: one JSON Schema each, and a page with the examples. Written
// by scripts/write-event-schemas.ts; a test fails when they are not current.
import * as z from 'zod';
import { eventDetailSchemas } from '../model/events.ts';
import { eventSource } from '../model/names.ts';
import { commandDetailType, commandSchema } from './commands.ts';

interface Documented {
  readonly detailType: string;
  readonly source: string;
  readonly schema: z.ZodType;
  /** As whoever writes it sees it, or as whoever reads it does. */
  readonly io: 'input' | 'output';
}

const documented: readonly Documented[] = [
  {
    detailType: commandDetailType,
    source: 'borealis/<role>/<environment>',
    schema: commandSchema,
    io: 'input',
  },
  ...Object.entries(eventDetailSchemas).map(
    ([detailType, schema]): Documented => ({ detailType, source: eventSource, schema, io: 'output' }),
  ),
];

/** File name -> contents, as the formatter leaves them apart from line breaks in short lists. */
export function eventDocs(): Readonly<Record<string, string>> {
  const schemas = documented.map(
    ({ detailType, schema, io }) => [schemaFile(detailType), jsonSchema(schema, io)] as const,
  );
  const files = Object.fromEntries(
    schemas.map(([file, schema]) => [file, `${JSON.stringify(schema, null, 2)}\n`]),
  );
  return { ...files, 'README.md': page() };
}

function jsonSchema(schema: z.ZodType, io: Documented['io']): object {
  const { examples: _shownOnThePage, ...rest } = z.toJSONSchema(schema, { io });
  // Readers must bear fields that are added within a version.
  return io === 'input' ? rest : { ...rest, additionalProperties: true };
}

function schemaFile(detailType: string): string {
  return `${detailType.toLowerCase().replaceAll(' ', '-')}.v1.schema.json`;
}

function page(): string {
  const sections = documented.flatMap((one) => {
    const { description = '', examples = [] } = z.globalRegistry.get(one.schema) ?? {};
    return [
      `## ${one.detailType}`,
      '',
      `Source \`${one.source}\` · schema of \`detail\`: [${schemaFile(one.detailType)}](${schemaFile(one.detailType)})`,
      '',
      description,
      '',
      ...(examples as unknown[]).flatMap((detail) => ['```json', JSON.stringify(detail, null, 2), '```', '']),
    ];
  });
  return [
    '# Events',
    '',
    'Generated from `shared/model/events.ts` and `shared/api/commands.ts` by `node scripts/write-event-schemas.ts`.',
    'How to use them: [docs/events.md](../../events.md).',
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}
