// A table of the store from its definition (shared/store/tables.ts), so that what is deployed, what runs embedded and
// what the tests create can't differ.
import { RemovalPolicy } from 'aws-cdk-lib';
import {
  type Attribute,
  AttributeType,
  BillingMode,
  type ITable,
  ProjectionType,
  StreamViewType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { TableDefinition } from '../../shared/store/tables.ts';

export interface StoreTableProps {
  /** Physical name. */
  readonly name: string;
  readonly definition: TableDefinition;
  /** Whether the table is kept when its stack is deleted. */
  readonly keep: boolean;
  /** ARN of the KMS key that encrypts it. @default a key that AWS owns */
  readonly kmsKeyArn?: string;
}

/** A table, restorable to any second of the last 35 days. */
export function storeTable(scope: Construct, id: string, props: StoreTableProps): ITable {
  const { name, definition, keep, kmsKeyArn } = props;
  const table = new Table(scope, id, {
    tableName: name,
    partitionKey: key(definition.partitionKey),
    sortKey: key(definition.sortKey),
    billingMode: BillingMode.PAY_PER_REQUEST,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: keep,
    removalPolicy: keep ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    timeToLiveAttribute: definition.ttlAttribute,
    ...(kmsKeyArn === undefined
      ? {}
      : {
          encryption: TableEncryption.CUSTOMER_MANAGED,
          encryptionKey: Key.fromKeyArn(scope, `${id}Key`, kmsKeyArn),
        }),
    ...(definition.stream === undefined ? {} : { stream: StreamViewType[definition.stream] }),
  });
  for (const index of definition.indexes) {
    table.addGlobalSecondaryIndex({
      indexName: index.name,
      partitionKey: key(index.partitionKey),
      sortKey: key(index.sortKey),
      ...(index.include.length === 0
        ? { projectionType: ProjectionType.KEYS_ONLY }
        : { projectionType: ProjectionType.INCLUDE, nonKeyAttributes: [...index.include] }),
    });
  }
  // The library's own types disagree under exactOptionalPropertyTypes.
  return table as ITable;
}

/** A table that was restored outside of the stacks, with what its definition says of it. */
export function restoredTable(
  scope: Construct,
  id: string,
  props: { readonly name: string; readonly definition: TableDefinition; readonly streamArn?: string },
): ITable {
  const { name, definition, streamArn } = props;
  return Table.fromTableAttributes(scope, id, {
    tableName: name,
    globalIndexes: definition.indexes.map((index) => index.name),
    ...(streamArn !== undefined && { tableStreamArn: streamArn }),
  });
}

function key(name: string): Attribute {
  return { name, type: AttributeType.STRING };
}
