// Who reads which task's logs, by the user at the other end.
import * as fs from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Peer } from '../../../agent/observer/peer.ts';
import { readersByUser } from '../../../agent/observer/readers.ts';
import { taskPaths } from '../../../agent/runtime/layout.ts';
import { LocalTask } from '../../../agent/tasks/local-task.ts';
import { temporaryDir } from '../fakes/agent-fixture.ts';

const [alice, mallory] = [20_001, 1500];
const isRoot = process.getuid?.() === 0;

/** Tasks whose sandboxes belong to these users. */
function tasksOf(uids: readonly (number | undefined)[]): LocalTask[] {
  const dir = temporaryDir();
  return uids.map((uid, index) => {
    const paths = taskPaths(dir, `task-${index}`);
    fs.mkdirSync(uid === undefined ? paths.dir : paths.sandbox, { recursive: true });
    if (uid !== undefined) fs.chownSync(paths.sandbox, uid, uid);
    return new LocalTask(`task-${index}`, paths, 0);
  });
}

async function readable(tasks: readonly LocalTask[], peer: Peer): Promise<string[]> {
  const reader = await readersByUser(
    () => tasks,
    async () => peer,
  )({} as Socket);
  const may = await Promise.all(tasks.map((task) => reader.may(task)));
  const allowed = tasks.filter((_task, index) => may[index]).map(({ taskId }) => taskId);
  expect(reader.restriction === undefined).toBe(allowed.length === tasks.length);
  return allowed;
}

describe.runIf(isRoot)('where tasks are users of their own', () => {
  it.each<[string, Peer, string[]]>([
    ['root reads all', { uid: 0 }, ['task-0', 'task-1', 'task-2', 'task-3']],
    ['who runs no task reads all', { uid: 1000 }, ['task-0', 'task-1', 'task-2', 'task-3']],
    ['another machine reads all', 'elsewhere', ['task-0', 'task-1', 'task-2', 'task-3']],
    ['a task reads what is of its user', { uid: mallory }, ['task-1', 'task-2']],
    ['another task reads what is of its user', { uid: alice }, ['task-0']],
    ['a user in the range of tasks reads nothing of others', { uid: 29_999 }, []],
    ['who cannot be told reads nothing', 'unknown', []],
  ])('%s', async (_what, peer, expected) => {
    expect(await readable(tasksOf([alice, mallory, mallory, undefined]), peer)).toEqual(expected);
  });

  it('learns who owns a sandbox that is handed over later', async () => {
    const tasks = tasksOf([0]);
    const find = readersByUser(
      () => tasks,
      async () => ({ uid: mallory }),
    );
    expect((await find({} as Socket)).restriction).toBeUndefined();
    for (const task of tasks) fs.chownSync(task.paths.sandbox, mallory, mallory);
    expect((await find({} as Socket)).restriction).toContain(`user ${mallory}`);
  });

  it('asks for the user once per connection, and again if that failed', async () => {
    const answers: Peer[] = ['unknown', { uid: mallory }, { uid: 0 }];
    const find = readersByUser(
      () => tasksOf([mallory]),
      async () => answers.shift() as Peer,
    );
    const socket = {} as Socket;
    expect((await find(socket)).restriction).toContain('could not be found');
    expect((await find(socket)).restriction).toContain(`user ${mallory}`);
    expect((await find(socket)).restriction).toContain(`user ${mallory}`);
  });
});
