// Entry of `npm start`: the embedded stack in the foreground until Ctrl-C.
import { startLocalStack } from './stack.ts';

const stack = await startLocalStack({ log: (line) => process.stderr.write(`${line}\n`) });
process.stdout.write(`Borealis on ${stack.apiUrl} (ready in ${stack.startMs.ready} ms)\n`);

let asked = 0;
const stop = (): void => {
  asked++;
  if (asked > 1) process.exit(130);
  void stack.stop();
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

const error = await stack.ended;
if (error) process.stderr.write(`${error.message}\n`);
process.exitCode = error ? 1 : 0;
