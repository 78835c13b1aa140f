// Who may read the logs of which task. Where tasks are users of their own, a task that asks the log server must get no
// more than its own files would show it: the logs of tasks of the same user.
import { stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { LocalTask } from '../tasks/local-task.ts';
import { taskUids } from '../tasks/task-users.ts';
import { type Peer, peerOf } from './peer.ts';

/** What somebody may read. */
export interface Reader {
  /** Why not everything, in words for whoever asks; undefined for everything. */
  readonly restriction: string | undefined;
  may(task: LocalTask): Promise<boolean>;
}

export type FindReader = (socket: Socket) => Promise<Reader>;

const everything: Reader = { restriction: undefined, may: async () => true };

/** For an agent whose tasks are all one user: whoever can connect could read the files themselves, or is trusted to. */
export const anyReader: FindReader = async () => everything;

/**
 * For an agent that is root and gives tasks other users. A peer on this machine is known by the user of its socket:
 * root, the agent and users who run no task read all; the user of a task reads the logs of that user's tasks. A peer on
 * another machine is whom the network lets through.
 */
export function readersByUser(
  all: () => readonly LocalTask[],
  identify: (socket: Socket) => Promise<Peer> = peerOf,
): FindReader {
  const owners = new WeakMap<LocalTask, number>();
  const ownerOf = async (task: LocalTask): Promise<number | undefined> => {
    const known = owners.get(task);
    if (known !== undefined) return known;
    const uid = await stat(task.paths.sandbox).then(
      (found) => found.uid,
      () => undefined,
    );
    // Root's until it is handed over, before the first process starts.
    if (uid !== undefined && uid !== 0) owners.set(task, uid);
    return uid;
  };
  const isOfTasks = async (uid: number): Promise<boolean> => {
    const [low, high] = taskUids;
    if (uid >= low && uid <= high) return true;
    for (const task of all()) if ((await ownerOf(task)) === uid) return true;
    return false;
  };
  const peers = new WeakMap<Socket, Peer>();
  return async (socket) => {
    const peer = peers.get(socket) ?? (await identify(socket));
    if (peer !== 'unknown') peers.set(socket, peer);
    if (peer === 'elsewhere') return everything;
    if (peer === 'unknown') {
      const restriction = 'who asks could not be found among the users of this machine; ask again';
      return { restriction, may: async () => false };
    }
    const { uid } = peer;
    if (uid === 0 || uid === process.getuid?.() || !(await isOfTasks(uid))) return everything;
    const restriction = `user ${uid} runs tasks on this machine and reads the logs of its own tasks only`;
    return { restriction, may: async (task) => (await ownerOf(task)) === uid };
  };
}
