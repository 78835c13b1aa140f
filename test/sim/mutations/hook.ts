// Loaded before the simulator: replaces one text of one file while it is loaded. BOREALIS_MUTATION is the name.
import { registerHooks } from 'node:module';
import { mutations } from './list.ts';

const mutation = mutations.find(({ name }) => name === process.env.BOREALIS_MUTATION);
if (!mutation) throw new Error(`no mutation ${process.env.BOREALIS_MUTATION}`);
const { file, find, replace } = mutation;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(`/${file}`) || url.includes('/test/')) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString();
    if (source.split(find).length !== 2) {
      console.error(`${file} does not hold what is to be replaced exactly once: ${find}`);
      process.exit(3);
    }
    return { ...loaded, source: source.replace(find, () => replace) };
  },
});
