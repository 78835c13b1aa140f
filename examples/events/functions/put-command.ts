// Puts one command on the bus of Borealis.
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { type Command, commandDetailType, commandSource } from '../../../shared/api/commands.ts';

let client: EventBridgeClient | undefined;

/** Throws if the bus does not take it; whether Borealis does shows in its events. */
export async function putCommand(bus: string, command: Command): Promise<void> {
  client ??= new EventBridgeClient({});
  const { Entries = [] } = await client.send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: bus,
          Source: commandSource(command),
          DetailType: commandDetailType,
          Detail: JSON.stringify(command),
        },
      ],
    }),
  );
  const refusal = Entries.find(({ ErrorCode }) => ErrorCode !== undefined);
  if (refusal) throw new Error(`the event bus ${bus} refuses the command: ${refusal.ErrorMessage}`);
}
