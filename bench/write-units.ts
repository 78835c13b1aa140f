// Write units of a whole task life, step by step, on the embedded engine or on DYNAMODB_ENDPOINT.
//   node bench/write-units.ts
import { startDynamoEngine } from '../local/engines/dynamo-engine.ts';
import { createClient } from '../shared/store/connection.ts';
import { createTables } from '../shared/store/create-tables.ts';
import { createDynamoStore } from '../shared/store/dynamo-store.ts';
import { measureTaskLife } from './task-life.ts';

const given = process.env.DYNAMODB_ENDPOINT;
const engine = given === undefined ? await startDynamoEngine() : undefined;
const client = createClient({ endpoint: given ?? engine?.endpoint ?? '' });
const tables = { stateTable: `bench-state-${process.pid}`, notesTable: `bench-notes-${process.pid}` };
await createTables(client, tables);
const counts = [1, 5, 20];
const columns = await Promise.all(
  counts.map((count) => measureTaskLife((meter) => createDynamoStore({ client, ...tables, meter }), count)),
);
console.log(
  ['write units per task'.padEnd(22), ...counts.map((count) => `${count} per agent`.padStart(14))].join(''),
);
for (const step of columns[0]?.units.keys() ?? []) {
  const cells = columns.map(({ units }) => (units.get(step) ?? 0).toFixed(2).padStart(14));
  console.log([step.padEnd(22), ...cells].join(''));
}
console.log(
  ['sum (budget 15)'.padEnd(22), ...columns.map(({ perTask }) => perTask.toFixed(2).padStart(14))].join(''),
);
client.destroy();
await engine?.stop();
