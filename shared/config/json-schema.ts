// The job file's schema as JSON Schema, for completion and checks in editors. A template may stand wherever it can become
// a number, a boolean or a name, so those also accept a text with {{...}}.
import * as z from 'zod';
import { fileJobSchema, fileSchema } from './job-file.ts';

const template = { type: 'string', pattern: '\\{\\{.+\\}\\}' } as const;

type JsonSchema = z.core.JSONSchema.BaseSchema;

function acceptsTemplate(schema: JsonSchema): boolean {
  if (schema.type === 'number' || schema.type === 'integer' || schema.type === 'boolean') return true;
  return schema.type === 'string' && (schema.pattern !== undefined || 'enum' in schema || 'const' in schema);
}

/** Replaces a schema in place by "this, or a template"; its description and default stay outside. */
function allowTemplate(schema: JsonSchema): void {
  if (!acceptsTemplate(schema)) return;
  const { description, default: fallback, ...strict } = schema;
  for (const key of Object.keys(schema)) delete schema[key];
  schema.anyOf = [strict, { ...template }];
  if (description !== undefined) schema.description = description;
  if (fallback !== undefined) schema.default = fallback;
}

/** The schema of a whole job file, as docs/reference/job-file.schema.json has it. */
export function jobFileJsonSchema(): Readonly<Record<string, unknown>> {
  // In a file that is one job, `templates` stands beside the job's fields.
  const { $schema, ...job } = z.toJSONSchema(
    fileJobSchema.extend({ templates: fileSchema.shape.templates }),
    {
      io: 'input',
      override: ({ jsonSchema }) => {
        allowTemplate(jsonSchema);
      },
    },
  );
  const jobs = { type: 'array', minItems: 1, maxItems: 1000, items: { $ref: '#/$defs/job' } };
  const { bindings, templates } = job.properties ?? {};
  const file = {
    type: 'object',
    properties: { jobs, bindings, templates },
    required: ['jobs'],
    additionalProperties: false,
  };
  return {
    $schema,
    title: 'Borealis job file',
    anyOf: [{ $ref: '#/$defs/job' }, jobs, file],
    $defs: { job },
  };
}
