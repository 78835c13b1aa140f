// The row of a client token, as an item of the transaction that it makes repeatable: taken once, free again a day later.
import type { PutCommandInput } from '@aws-sdk/lib-dynamodb';
import type { Connection } from '../connection.ts';
import { tokenKeyOf } from '../keys.ts';
import type { ClientToken } from '../port.ts';
import { ttlAttribute } from '../tables.ts';

const tokenLifeMs = 24 * 3600_000;

/** Puts the token unless it is taken; `now`: epoch ms. A token is free once expired, deleted by then or not. */
export function tokenItem(
  connection: Connection,
  token: ClientToken,
  now: number,
): { readonly Put: PutCommandInput } {
  const nowSecs = Math.floor(now / 1000);
  return {
    Put: {
      TableName: connection.state,
      Item: {
        ...tokenKeyOf(token.value),
        h: token.requestHash,
        ...(token.updateId !== undefined && { u: token.updateId }),
        [ttlAttribute]: nowSecs + tokenLifeMs / 1000,
      },
      ConditionExpression: 'attribute_not_exists(pk) OR #expires <= :now',
      ExpressionAttributeNames: { '#expires': ttlAttribute },
      ExpressionAttributeValues: { ':now': nowSecs },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
    },
  };
}
