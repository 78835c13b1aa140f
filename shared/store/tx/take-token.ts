// Atomic write: a client token is taken by itself, for a request whose own writes could not take it along.
//
// Preconditions  the token is free
// Items          1 token row
// Outcomes       taken, or it was taken already, which is as well
// Retry safety   a repeat finds it taken
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import type { ClientToken } from '../port.ts';
import { tokenItem } from './token-item.ts';

/** `now`: epoch ms, for the token's life. */
export async function takeToken(connection: Connection, token: ClientToken, now: number): Promise<void> {
  try {
    await send(connection, 'takeToken', 'write', new PutCommand(tokenItem(connection, token, now).Put));
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('takeToken', error);
  }
}
