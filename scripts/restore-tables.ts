// Restores the tables of an installation into new ones beside the old, makes their ledgers right, and says how to have
// the control plane use them. The old tables are not touched. docs/backup.md walks through it.
//
//   node scripts/restore-tables.ts --cluster prod --suffix r1 --at 2026-05-01T12:00:00Z   (point-in-time recovery)
//   node scripts/restore-tables.ts --cluster prod --suffix r1 --latest                    (the same, as late as possible)
//   node scripts/restore-tables.ts --cluster prod --suffix r1 --from DIR                  (from scripts/backup-tables.ts)
//
// Where: AWS_REGION and credentials, or AWS_ENDPOINT_URL_DYNAMODB.
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import {
  DescribeTableCommand,
  ListTablesCommand,
  RestoreTableToPointInTimeCommand,
  UpdateContinuousBackupsCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { createClient } from '../shared/store/connection.ts';
import { createTables } from '../shared/store/create-tables.ts';
import { repairLedgers } from '../shared/store/repair-ledgers.ts';
import { itemOf, writeItems } from '../shared/store/table-dump.ts';
import { notesTable, stateTable, type TableDefinition } from '../shared/store/tables.ts';

const { values } = parseArgs({
  options: {
    cluster: { type: 'string' },
    suffix: { type: 'string', default: '' },
    at: { type: 'string' },
    latest: { type: 'boolean', default: false },
    from: { type: 'string' },
  },
});
const { cluster, suffix, at, latest, from } = values;
const ways = [at !== undefined, latest, from !== undefined].filter(Boolean).length;
if (!cluster || ways !== 1 || (at !== undefined && Number.isNaN(Date.parse(at)))) {
  process.stderr.write(
    'usage: node scripts/restore-tables.ts --cluster NAME --suffix S (--at TIME | --latest | --from DIR)\n',
  );
  process.exit(2);
}

const client = createClient();
const named = (part: string): string =>
  [`borealis-${cluster}-${part}`, ...(suffix ? [suffix] : [])].join('-');
const restoreWithinSeconds = 4 * 3600;
const linesAtOnce = 1_000;

/** From the continuous backup of the table; takes minutes to hours. */
async function restoreToPointInTime(part: string, definition: TableDefinition): Promise<void> {
  const TableName = named(part);
  await client.send(
    new RestoreTableToPointInTimeCommand({
      SourceTableName: `borealis-${cluster}-${part}`,
      TargetTableName: TableName,
      ...(at === undefined ? { UseLatestRestorableTime: true } : { RestoreDateTime: new Date(at) }),
    }),
  );
  await waitUntilTableExists({ client, maxWaitTime: restoreWithinSeconds }, { TableName });
  // A restore brings rows and indexes, but none of this.
  const TimeToLiveSpecification = { Enabled: true, AttributeName: definition.ttlAttribute };
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  if (definition.stream !== undefined) {
    const StreamSpecification = { StreamEnabled: true, StreamViewType: definition.stream };
    await client.send(new UpdateTableCommand({ TableName, StreamSpecification }));
    await waitUntilTableExists({ client, maxWaitTime: 600 }, { TableName });
  }
}

/** From files; the tables are made new. */
async function restoreFromFiles(dir: string): Promise<void> {
  const about = JSON.parse(readFileSync(join(dir, 'backup.json'), 'utf8')) as {
    rows: Record<string, number>;
  };
  for (const part of ['state', 'notes']) {
    const { TableNames = [] } = await client.send(new ListTablesCommand({}));
    if (TableNames.includes(named(part))) {
      throw new Error(`the table ${named(part)} exists; nothing was changed. Choose another --suffix`);
    }
  }
  await createTables(client, { stateTable: named('state'), notesTable: named('notes') });
  for (const part of ['state', 'notes']) {
    let count = 0;
    let items: ReturnType<typeof itemOf>[] = [];
    const put = async (): Promise<void> => {
      await writeItems(client, named(part), items);
      count += items.length;
      items = [];
    };
    for await (const line of createInterface({ input: createReadStream(join(dir, `${part}.jsonl`)) })) {
      items.push(itemOf(line));
      if (items.length === linesAtOnce) await put();
    }
    await put();
    if (count !== about.rows[part]) {
      throw new Error(
        `${part}.jsonl has ${count} rows, ${about.rows[part]} were backed up; the file is damaged`,
      );
    }
  }
}

async function protect(TableName: string): Promise<void> {
  const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
  await client.send(new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }));
  await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: true }));
}

if (from !== undefined) await restoreFromFiles(from);
else {
  await Promise.all([restoreToPointInTime('state', stateTable), restoreToPointInTime('notes', notesTable)]);
  await Promise.all([protect(named('state')), protect(named('notes'))]);
}
const report = await repairLedgers(client, named('state'));
const { Table } = await client.send(new DescribeTableCommand({ TableName: named('state') }));
const context = `-c borealis:cluster=${cluster} -c borealis:restored=${suffix} -c borealis:restoredStream=${Table?.LatestStreamArn}`;
process.stdout.write(
  `${JSON.stringify({ tables: [named('state'), named('notes')], stream: Table?.LatestStreamArn, ...report }, null, 2)}\n`,
);
if (suffix) {
  process.stderr.write(
    `Now, with the other context keys of this installation:\n  npx cdk deploy --exclusively borealis-${cluster}-control-plane ${context}\n  npx cdk deploy --all ${context}\n`,
  );
}
client.destroy();
