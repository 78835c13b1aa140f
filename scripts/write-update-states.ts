// Writes docs/reference/update-states.md from the status table of updates. Run it after a change of the table.
import { writeFileSync } from 'node:fs';
import { updateStatusDocument } from '../shared/domain/update/document.ts';

writeFileSync(new URL('../docs/reference/update-states.md', import.meta.url), updateStatusDocument());
