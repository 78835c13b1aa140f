// The OpenAPI document says what the route table says, and the stored copy is current.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { buildOpenApi } from '../../../shared/api/openapi.ts';
import { routes } from '../../../shared/api/routes.ts';

const document = buildOpenApi(packageJson.version) as {
  paths: Record<string, Record<string, { operationId: string; requestBody?: unknown; responses: object }>>;
  components: { schemas: object };
};

describe('the OpenAPI document', () => {
  it('is the one in docs/openapi.json; if not, run `node scripts/openapi.ts` and format it', () => {
    const stored = JSON.parse(
      readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'),
    ) as unknown;
    expect(stored).toEqual(document);
  });

  it.each(Object.entries(routes))('describes %s', (name, route) => {
    const operation = document.paths[route.path]?.[route.method.toLowerCase()];
    expect(operation?.operationId).toBe(name);
    expect(Object.keys(operation?.responses ?? {})).toEqual([String(route.status), 'default']);
    expect(operation?.requestBody !== undefined).toBe(route.body !== undefined);
  });

  it('names the shared schemas once', () => {
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Job', 'Task', 'TaskConfig', 'Agent', 'Problem']),
    );
    expect(JSON.stringify(document).length).toBeLessThan(100_000);
  });
});
