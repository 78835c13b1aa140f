// The thread that synthesises the CDK app: the library's memory is given back when it ends.
import { serveThread } from '../thread.ts';
import { type SynthRequest, synthTemplates } from './synth.ts';

serveThread({ synth: (request: SynthRequest) => synthTemplates(request) });
