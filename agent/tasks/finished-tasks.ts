// The bounded record of tasks this agent has ended. It keeps a late or repeated launch from running a task twice, and
// answers what became of a task whose folder is already gone.
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { TaskStatus } from '../../shared/model/protocol.ts';
import type { EndState } from '../executor/exit-status.ts';

/** How a task ended. */
export type FinalStatus = TaskStatus & { readonly state: EndState };

const defaultLimit = 10_000;

export class FinishedTasks {
  readonly #path: string;
  readonly #limit: number;
  readonly #tasks = new Map<string, FinalStatus>();
  #lines = 0;

  /** Reads the record in the work directory; unreadable lines (a crash, a full disk) are skipped. */
  constructor(workDir: string, limit = defaultLimit) {
    this.#path = join(workDir, 'finished.jsonl');
    this.#limit = limit;
    const text = fs.existsSync(this.#path) ? fs.readFileSync(this.#path, 'utf8') : '';
    for (const line of text.split('\n')) {
      const status = parseLine(line);
      if (status) this.#remember(status);
    }
    this.#compact();
  }

  get(taskId: string): FinalStatus | undefined {
    return this.#tasks.get(taskId);
  }

  /** Records an end; the first one stands. A failing disk loses only the copy, the task's own folder has it too. */
  add(status: FinalStatus): void {
    if (this.#tasks.has(status.taskId)) return;
    this.#remember(status);
    try {
      if (this.#lines > 2 * this.#limit) this.#compact();
      else {
        fs.appendFileSync(this.#path, `${JSON.stringify(status)}\n`, { mode: 0o600 });
        this.#lines++;
      }
    } catch {
      // kept in memory; written with the next compaction
    }
  }

  #remember(status: FinalStatus): void {
    this.#tasks.set(status.taskId, status);
    if (this.#tasks.size > this.#limit) {
      const [oldest] = this.#tasks.keys();
      if (oldest !== undefined) this.#tasks.delete(oldest);
    }
  }

  #compact(): void {
    const text = [...this.#tasks.values()].map((status) => `${JSON.stringify(status)}\n`).join('');
    try {
      fs.writeFileSync(`${this.#path}.new`, text, { mode: 0o600 });
      fs.renameSync(`${this.#path}.new`, this.#path);
      this.#lines = this.#tasks.size;
    } catch {
      // a full disk: the old file stays
    }
  }
}

function parseLine(line: string): FinalStatus | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as FinalStatus);
  } catch {
    return undefined;
  }
}
