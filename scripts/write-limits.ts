// Writes docs/reference/limits.md: `node scripts/write-limits.ts`. A test fails when the file is not current.
import { writeFileSync } from 'node:fs';
import { limitsDocument } from './limits.ts';

writeFileSync(new URL('../docs/reference/limits.md', import.meta.url), limitsDocument());
