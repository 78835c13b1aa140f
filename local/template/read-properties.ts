// Reads the properties of a resource by a schema; what does not fit stops the start with the place.
import * as z from 'zod';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { LocatedResource } from './world.ts';

/** INVALID_CONFIG names the resource and each property that does not fit. */
export function readProperties<S extends z.ZodType>(resource: LocatedResource, schema: S): z.infer<S> {
  const parsed = schema.safeParse(resource.properties());
  if (parsed.success) return parsed.data;
  throw refusal(resource, z.prettifyError(parsed.error).replaceAll('\n', ' '));
}

export function refusal(resource: LocatedResource, why: string): BorealisError {
  return new BorealisError(
    'INVALID_CONFIG',
    `template, ${resource.stack}/${resource.logicalId} (${resource.type}): ${why}; the embedded stack was not started`,
  );
}
