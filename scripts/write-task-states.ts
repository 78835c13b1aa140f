// Writes docs/reference/task-states.md from the transition table. Run it after a change of the table.
import { writeFileSync } from 'node:fs';
import { transitionDocument } from '../shared/domain/task/document.ts';

writeFileSync(new URL('../docs/reference/task-states.md', import.meta.url), transitionDocument());
