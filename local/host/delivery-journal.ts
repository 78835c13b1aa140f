// Deliveries of events that were taken and have not arrived: kept in a file, so that they outlive the process as those of
// AWS do. Without a file (a stack that keeps nothing) they end with it.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** An event on its way to one target of a rule. */
interface Delivery {
  /** Names the target across restarts. */
  readonly target: string;
  readonly event: Readonly<Record<string, unknown>>;
}

export interface DeliveryJournal {
  /** What an earlier run left, oldest first, with the numbers by which it is done. */
  left(): readonly (Delivery & { readonly number: number })[];
  /** Written when it answers: the number of the delivery. */
  add(delivery: Delivery): number;
  done(number: number): void;
  close(): void;
}

/** The journal in a file, or nowhere when `file` is undefined. */
export function deliveryJournal(file: string | undefined): DeliveryJournal {
  if (file === undefined)
    return { left: () => [], add: () => 0, done: () => undefined, close: () => undefined };
  mkdirSync(dirname(file), { recursive: true });
  const db = new DatabaseSync(file);
  // Safe when the process ends in whatever way; the end of the machine may cost the last moment.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  db.exec(
    'CREATE TABLE IF NOT EXISTS deliveries (number INTEGER PRIMARY KEY, target TEXT NOT NULL, event TEXT NOT NULL)',
  );
  const all = db.prepare('SELECT number, target, event FROM deliveries ORDER BY number');
  const insert = db.prepare('INSERT INTO deliveries (target, event) VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM deliveries WHERE number = ?');
  return {
    left: () =>
      all.all().map(({ number, target, event }) => ({
        number: Number(number),
        target: String(target),
        event: JSON.parse(String(event)) as Delivery['event'],
      })),
    add: ({ target, event }) => Number(insert.run(target, JSON.stringify(event)).lastInsertRowid),
    done: (number) => void remove.run(number),
    close: () => db.close(),
  };
}
