// The thread that runs the host and with it all handlers: an environment of its own (the handlers' variables never reach
// the command line's process) and module instances of its own (every stack starts with cold functions).
import { capacityTotals, requestTotals } from '../../functions/clients/capacity.ts';
import { serveThread, threadContext } from '../thread.ts';
import { type Host, type HostOptions, startHost } from './host.ts';
import type { Odds } from './striker.ts';

/** What the thread is started with. */
export type HostThreadData = Omit<HostOptions, 'log' | 'moreStats'>;

const { data, log } = threadContext<HostThreadData>();
let host: Host | undefined;

serveThread({
  async start() {
    host = await startHost({
      ...data,
      log,
      moreStats: () => ({
        capacity: capacityTotals(),
        requests: requestTotals(),
        sqsEndpoint: data.sqsEndpoint,
      }),
    });
    return host.port;
  },
  heal: () => host?.heal(),
  setFaults: (odds: Odds | undefined) => host?.setFaults(odds),
  setStoreFaults: (odds: Odds | undefined) => host?.setStoreFaults(odds),
  stats: () => host?.stats(),
  events: () => host?.recentEvents() ?? [],
  stop: () => host?.stop(),
});

// A handler that forgets a promise must not take the whole stack down; Lambda would only lose that one environment.
process.on('unhandledRejection', (error) => {
  log(
    `unhandled rejection in a handler: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
});
