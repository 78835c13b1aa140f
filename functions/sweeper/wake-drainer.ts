// The sweep's part in emptying agents: if any is being emptied, its chain of passes may have been lost; one more wake-up
// starts it again, or becomes one with the one that is on its way.
import type { Clock } from '../../shared/lib/ports.ts';
import type { Store } from '../../shared/store/port.ts';
import { drainTimer } from '../messages.ts';
import type { MessagePort } from '../ports.ts';

export interface DrainerWakeDeps {
  readonly store: Pick<Store, 'listDraining'>;
  readonly messages: MessagePort;
  readonly timersQueueUrl: string;
  readonly clock: Clock;
}

export async function wakeDrainer({
  store,
  messages,
  timersQueueUrl,
  clock,
}: DrainerWakeDeps): Promise<void> {
  // Whether one of them can be read is for the drainer to tell.
  const draining = await store.listDraining(() => {});
  if (draining.length > 0) await messages.send(timersQueueUrl, [drainTimer(clock())]);
}
