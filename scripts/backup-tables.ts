// Copies the tables of an installation into files, one row a line. In an AWS account point-in-time recovery is the better
// backup; this is for the embedded stack, for emulators, and to move an installation elsewhere.
//
//   node scripts/backup-tables.ts --cluster prod --out DIR
//
// Where: AWS_REGION and credentials, or AWS_ENDPOINT_URL_DYNAMODB. Rows that change meanwhile are read before or after.
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import packageJson from '../package.json' with { type: 'json' };
import { createClient } from '../shared/store/connection.ts';
import { lineOf, readItems } from '../shared/store/table-dump.ts';

const { values } = parseArgs({ options: { cluster: { type: 'string' }, out: { type: 'string' } } });
const { cluster, out } = values;
if (!cluster || !out) {
  process.stderr.write('usage: node scripts/backup-tables.ts --cluster NAME --out DIR\n');
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const client = createClient();
const rows: Record<string, number> = {};
for (const part of ['state', 'notes']) {
  let count = 0;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const item of readItems(client, `borealis-${cluster}-${part}`)) {
      count++;
      yield lineOf(item);
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(join(out, `${part}.jsonl`), { mode: 0o600 }));
  rows[part] = count;
}
// Written last: a directory without it is no backup.
const about = { cluster, version: packageJson.version, takenAt: new Date().toISOString(), rows };
writeFileSync(join(out, 'backup.json'), `${JSON.stringify(about, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(about)}\n`);
client.destroy();
