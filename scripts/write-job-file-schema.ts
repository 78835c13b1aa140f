// Writes docs/reference/job-file.schema.json from the zod schema; run it after a change to shared/config/job-file.ts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jobFileJsonSchema } from '../shared/config/json-schema.ts';

const path = fileURLToPath(new URL('../docs/reference/job-file.schema.json', import.meta.url));
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, `${JSON.stringify(jobFileJsonSchema(), null, 2)}\n`);
// The formatter has its own mind about short lists.
const format = spawnSync('npx', ['biome', 'format', '--write', path], { stdio: 'inherit' });
process.exitCode = format.status ?? 1;
