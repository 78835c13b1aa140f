// The embedded DynamoDB engine: it starts, keeps its data when asked to, and never outlives its owner.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, it } from 'vitest';
import { type DynamoEngine, startDynamoEngine } from '../../../local/engines/dynamo-engine.ts';

const started: DynamoEngine[] = [];
const dirs: string[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((engine) => engine.stop()));
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

async function start(options: Parameters<typeof startDynamoEngine>[0] = {}): Promise<DynamoEngine> {
  const engine = await startDynamoEngine(options);
  started.push(engine);
  return engine;
}

function client(engine: DynamoEngine): DynamoDBClient {
  return new DynamoDBClient({
    endpoint: engine.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
}

async function createTable(engine: DynamoEngine): Promise<void> {
  await client(engine).send(
    new CreateTableCommand({
      TableName: 'things',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  );
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !condition(); tries++) await sleep(25);
}

describe('the embedded DynamoDB engine', () => {
  it('answers on loopback, with the stream index in place, and leaves nothing behind', async () => {
    const engine = await start();
    expect(engine.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await createTable(engine);
    const { TableNames } = await client(engine).send(new ListTablesCommand({}));
    expect(TableNames).toEqual(['things']);
    const db = new DatabaseSync(engine.dbFile as string, { readOnly: true });
    const plan = db
      .prepare(
        "EXPLAIN QUERY PLAN SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name='things'",
      )
      .all();
    db.close();
    expect(JSON.stringify(plan)).toContain('borealis_stream_seq');

    await engine.stop();
    await engine.stop();
    expect(alive(engine.pid as number)).toBe(false);
    expect(existsSync(dirname(engine.dbFile as string))).toBe(false);
  });

  it('keeps tables across a restart in the same data directory, even after SIGKILL', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'borealis-test-'));
    dirs.push(dataDir);
    const first = await start({ dataDir });
    await createTable(first);
    process.kill(first.pid as number, 'SIGKILL');
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });

    const second = await start({ dataDir });
    const { TableNames } = await client(second).send(new ListTablesCommand({}));
    expect(TableNames).toEqual(['things']);
  });

  it('says so when the wanted port is taken', async () => {
    const first = await start();
    const port = Number(new URL(first.endpoint).port);
    await expect(startDynamoEngine({ port })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('already in use'),
    });
  });

  it('ends with its owner when the owner is killed with SIGKILL', async () => {
    const module = new URL('../../../local/engines/dynamo-engine.ts', import.meta.url).href;
    const script = `const { startDynamoEngine } = await import(${JSON.stringify(module)});
      const engine = await startDynamoEngine();
      console.log(JSON.stringify({ pid: engine.pid, dbFile: engine.dbFile }));
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const { pid, dbFile } = JSON.parse(line.toString()) as { pid: number; dbFile: string };
    expect(alive(pid)).toBe(true);
    owner.kill('SIGKILL');
    await until(() => !alive(pid) && !existsSync(dirname(dbFile)));
    expect(alive(pid)).toBe(false);
    expect(existsSync(dirname(dbFile))).toBe(false);
  });
});
