// A job of 10,000 instances whose creation dies half way and is begun again, and the partitions it is spread over.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedEngine, type StoreUnderTest } from './engines.ts';
import { makeTask, makeTasks, unique } from './fixtures.ts';

const instances = 10_000;
let subject: StoreUnderTest;
beforeAll(async () => {
  subject = await embeddedEngine();
});
afterAll(() => subject.stop());

async function partitions(name: string): Promise<Map<string, number>> {
  const rows = new Map<string, number>();
  const scan = paginateScan(
    { client: DynamoDBDocumentClient.from(subject.client) },
    { TableName: subject.stateTable, ProjectionExpression: 'pk' },
  );
  for await (const { Items = [] } of scan) {
    const own = Items.map(({ pk }) => pk as string).filter((pk) => pk.includes(`/${name}#`));
    for (const pk of own) rows.set(pk, (rows.get(pk) ?? 0) + 1);
  }
  return rows;
}

/** A process that inserts the tasks and is killed with SIGKILL once some are stored. */
async function insertAndDie(name: string): Promise<number> {
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const endpoint = await subject.client.config.endpoint?.();
  const script = `
    const { createDynamoStore } = await import(${at('../../shared/store/dynamo-store.ts')});
    const { makeTasks } = await import(${at('./fixtures.ts')});
    const store = createDynamoStore(${JSON.stringify({
      stateTable: subject.stateTable,
      notesTable: subject.notesTable,
      endpoint: `${endpoint?.protocol}//${endpoint?.hostname}:${endpoint?.port}`,
    })});
    await store.insertTasks(makeTasks(${instances}, { name: ${JSON.stringify(name)} }));`;
  const inserter = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
  const ended = once(inserter, 'exit');
  const store = subject.store();
  let stored = 0;
  while (stored < 500 && inserter.exitCode === null) {
    await sleep(10);
    stored = (await store.listTasks({ ...makeTask(), name }, [0, 999])).length;
  }
  inserter.kill('SIGKILL');
  await ended;
  return [...(await partitions(name)).values()].reduce((sum, one) => sum + one, 0);
}

describe('a job of 10,000 instances', () => {
  it('is complete after a crash half way and a second run, over 40 partitions', {
    timeout: 120_000,
  }, async () => {
    const name = unique('large');
    const afterCrash = await insertAndDie(name);
    expect(afterCrash).toBeGreaterThan(0);
    expect(afterCrash).toBeLessThan(instances);

    const store = subject.store();
    const { existing } = await store.insertTasks(makeTasks(instances, { name }));
    expect(existing).toHaveLength(afterCrash);
    const rows = await partitions(name);
    expect(rows.size).toBeGreaterThanOrEqual(40);
    expect(Math.max(...rows.values())).toBeLessThanOrEqual(250);
    const tasks = await store.listTasks({ ...makeTask(), name }, [0, instances - 1]);
    expect(tasks.map(({ instance }) => instance)).toEqual(
      Array.from({ length: instances }, (_, index) => index),
    );
    expect(await store.listPending('default', 2 * instances)).toHaveLength(instances);
  });
});
