// Writes docs/reference/events from the schemas; run it after a change to shared/model/events.ts or
// shared/api/commands.ts (which takes in the bodies of routes and the task config).
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventDocs } from '../shared/api/event-docs.ts';

const dir = fileURLToPath(new URL('../docs/reference/events/', import.meta.url));
mkdirSync(dir, { recursive: true });
for (const [file, contents] of Object.entries(eventDocs())) writeFileSync(join(dir, file), contents);
// The formatter has its own mind about short lists.
const format = spawnSync('npx', ['biome', 'format', '--write', dir], { stdio: 'inherit' });
process.exitCode = format.status ?? 1;
