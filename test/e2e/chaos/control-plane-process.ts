// The embedded stack as a process of its own, which can be killed while agents and their tasks run on: takes the options
// as JSON, says over its channel what was started, answers calls, and ends when the channel does.
import { appendFileSync } from 'node:fs';
import type { Odds } from '../../../local/host/striker.ts';
import { type LocalStackOptions, startLocalStack } from '../../../local/stack.ts';
import type { Answer, Begun, Request } from './control-plane.ts';

const logFile = process.env.BOREALIS_CHAOS_LOG;
const log = (line: string): void => {
  if (logFile !== undefined) appendFileSync(logFile, `${new Date().toISOString()} ${line}\n`);
};
const stack = await startLocalStack({ ...(JSON.parse(process.argv[2] ?? '{}') as LocalStackOptions), log });
const { apiUrl, sqsEndpoint, cluster } = stack;
const { awsEndpoint } = await stack.stats();
const methods: { readonly [K in Request['method']]: (argument: never) => unknown } = {
  restartEngine: (engine: 'dynamo' | 'sqs') => stack.restartEngine(engine),
  runSchedules: () => stack.runSchedules(),
  setFaults: (odds: Odds | null) => stack.setFaults(odds ?? undefined),
  setStoreFaults: (odds: Odds | null) => stack.setStoreFaults(odds ?? undefined),
  stats: () => stack.stats(),
  dynamoPid: () => stack.dynamoPid(),
};

process.on('message', ({ id, method, argument }: Request) => {
  const run = async (): Promise<unknown> => methods[method](argument as never);
  run().then(
    (value) => say({ id, value }),
    (error: unknown) => say({ id, error: String(error) }),
  );
});
process.on('disconnect', () => void stack.stop().finally(() => process.exit(0)));
void stack.ended.then((error) => {
  if (error) process.stderr.write(`the control plane has ended: ${error.message}\n`);
  process.exit(error ? 1 : 0);
});
say({ apiUrl, sqsEndpoint, cluster, awsEndpoint });

function say(message: Begun | Answer): void {
  // Whoever asked may be gone.
  if (process.connected) process.send?.(message, () => undefined);
}
