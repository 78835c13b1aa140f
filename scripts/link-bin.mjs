// Makes `npx borealis` work in a checkout: npm links the bins of dependencies, not those of the root package.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';

const bin = new URL('../node_modules/.bin/', import.meta.url);
mkdirSync(bin, { recursive: true });
rmSync(new URL('borealis', bin), { force: true });
symlinkSync('../../cli/bin/borealis.mjs', new URL('borealis', bin));
