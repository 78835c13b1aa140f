// Writes docs/openapi.json from the route table: `node scripts/openapi.ts`. A test fails when the file is not current.
import { writeFileSync } from 'node:fs';
import packageJson from '../package.json' with { type: 'json' };
import { buildOpenApi } from '../shared/api/openapi.ts';

const target = new URL('../docs/openapi.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(buildOpenApi(packageJson.version), null, 2)}\n`);
