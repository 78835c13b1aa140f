// Writes the figures into docs/cost.md, between their markers.
import { readFileSync, writeFileSync } from 'node:fs';
import { readUnits } from '../cli/commands/cost.ts';
import { costFigures } from '../cli/cost/figures.ts';
import { readPrices } from '../cli/cost/prices.ts';

const file = new URL('../docs/cost.md', import.meta.url);
const [start, end] = ['<!-- figures -->\n', '\n<!-- /figures -->'];
const text = readFileSync(file, 'utf8');
const before = text.slice(0, text.indexOf(start) + start.length);
const after = text.slice(text.indexOf(end));
writeFileSync(file, before + costFigures(readUnits(), readPrices()) + after);
