// The rights of one function on the tables: exactly what the store methods it uses send (shared/store/rights.ts), on the
// tables and indexes they send it to.
import { Stack } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type StoreUser, storeRights, storeUse } from '../../shared/store/rights.ts';
import { readSettings } from '../settings.ts';
import type { ServiceFunction } from './service-function.ts';

/** Gives `worker` what the methods that `user` uses take. */
export function grantStore(
  worker: ServiceFunction,
  tables: { readonly state: ITable; readonly notes: ITable },
  user: StoreUser,
): void {
  const rights = new Set(storeUse[user].flatMap((method) => [...storeRights[method]]));
  const places = Map.groupBy([...rights].toSorted(), (right) => right.split(' ')[0] ?? '');
  for (const [place, ofPlace] of places) {
    worker.function.addToRolePolicy(
      new PolicyStatement({
        actions: ofPlace.map((right) => `dynamodb:${right.split(' ')[1]}`),
        resources: [arnOf(place, tables)],
      }),
    );
  }
  const { kmsKeyArn } = readSettings(worker.node);
  if (kmsKeyArn === undefined) return;
  // DynamoDB uses the key in the name of whoever reads or writes.
  worker.function.addToRolePolicy(
    new PolicyStatement({
      actions: keyActions,
      resources: [kmsKeyArn],
      conditions: { StringEquals: { 'kms:ViaService': `dynamodb.${Stack.of(worker).region}.amazonaws.com` } },
    }),
  );
}

/** What DynamoDB asks of a caller's rights on the key of a table. */
const keyActions = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

function arnOf(place: string, { state, notes }: { readonly state: ITable; readonly notes: ITable }): string {
  if (place === 'notes') return notes.tableArn;
  return place === 'state' ? state.tableArn : `${state.tableArn}/index/${place}`;
}
