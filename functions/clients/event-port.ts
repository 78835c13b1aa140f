// Publishes to EventBridge, ten events a call, several calls at once; refused entries are sent again.
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { RequestLimits } from '../../shared/lib/request-limits.ts';
import { eventSource } from '../../shared/model/names.ts';
import { chunks, mapLimit } from '../../shared/store/flow.ts';
import type { EventPort } from '../ports.ts';
import { clientSettings } from './client-settings.ts';

const maxEntries = 10;
const callsAtOnce = 8;
const attempts = 3;

export function createEventBridgeClient(limits?: RequestLimits): EventBridgeClient {
  return new EventBridgeClient(clientSettings(limits));
}

/** EventPort over one EventBridge client. */
export function createEventPort(client: EventBridgeClient, busName: string): EventPort {
  return {
    async publish(events) {
      const entries = events.map(({ detailType, detail }) => ({
        EventBusName: busName,
        Source: eventSource,
        DetailType: detailType,
        Detail: JSON.stringify(detail),
      }));
      await mapLimit(chunks(entries, maxEntries), callsAtOnce, (chunk) => put(client, chunk));
    },
  };
}

async function put(client: EventBridgeClient, entries: readonly PutEventsRequestEntry[]): Promise<void> {
  let waiting = [...entries];
  let reason = '';
  for (let attempt = 0; attempt < attempts && waiting.length > 0; attempt++) {
    const { Entries = [] } = await client.send(new PutEventsCommand({ Entries: waiting }));
    reason = Entries.find(({ ErrorCode }) => ErrorCode)?.ErrorMessage ?? '';
    waiting = waiting.filter((_, index) => Entries[index]?.ErrorCode !== undefined);
  }
  if (waiting.length === 0) return;
  throw new BorealisError(
    'UNAVAILABLE',
    `${waiting.length} events were refused by the event bus (${reason}); they are published again`,
  );
}
