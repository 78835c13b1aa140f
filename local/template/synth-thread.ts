// The thread that synthesises the CDK app: the library's memory is given back when it ends.
import { serveThread } from '../thread.ts';
import { synthTemplates } from './synth.ts';

serveThread({ synth: (cluster: string) => synthTemplates(cluster) });
