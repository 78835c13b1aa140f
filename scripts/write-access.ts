// Writes docs/reference/access.md from the table of callers. Run it after a change of routes or of their callers.
import { writeFileSync } from 'node:fs';
import { accessDocument } from '../shared/api/access.ts';

writeFileSync(new URL('../docs/reference/access.md', import.meta.url), accessDocument());
