// Writes docs/reference/cli.md from the commands.
import { mkdirSync, writeFileSync } from 'node:fs';
import { referenceText } from '../cli/reference.ts';

const file = new URL('../docs/reference/cli.md', import.meta.url);
mkdirSync(new URL('.', file), { recursive: true });
writeFileSync(file, await referenceText());
