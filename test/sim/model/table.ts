// One table of the model: items by partition in sort order, its sparse indexes (which may lag behind), and capacity units.
import type { IndexDefinition, TableDefinition } from '../../../shared/store/tables.ts';
import { type Item, isEqual, sizeOf } from './values.ts';

interface Entry {
  /** Sort position within the partition; unique. */
  readonly order: string;
  readonly item: Item;
}

/** Entries of one partition in order. */
class Partition {
  readonly entries: Entry[] = [];

  /** Position of the first entry at or after `order`. */
  from(order: string): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle] as Entry).order < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  get(order: string): Item | undefined {
    const entry = this.entries[this.from(order)];
    return entry?.order === order ? entry.item : undefined;
  }
  put(order: string, item: Item | undefined): void {
    const at = this.from(order);
    const found = this.entries[at]?.order === order;
    if (item === undefined) {
      if (found) this.entries.splice(at, 1);
    } else this.entries.splice(at, found ? 1 : 0, { order, item });
  }
}

class Partitions {
  readonly all = new Map<string, Partition>();
  of(key: string): Partition | undefined {
    return this.all.get(key);
  }
  put(key: string, order: string, item: Item | undefined): void {
    let partition = this.all.get(key);
    if (partition === undefined) {
      if (item === undefined) return;
      partition = new Partition();
      this.all.set(key, partition);
    }
    partition.put(order, item);
    if (partition.entries.length === 0) this.all.delete(key);
  }
}

interface Pending {
  readonly visibleAt: number;
  readonly id: string;
  readonly item: Item | undefined;
}

/** One index: shows a change once its lag is over; the changes of one item in their order, those of others in any. */
class Index {
  readonly definition: IndexDefinition;
  readonly partitions = new Partitions();
  readonly #pending: Pending[] = [];
  readonly #latest = new Map<string, number>();
  /** Where each item's entry is. */
  readonly #shown = new Map<string, { readonly key: string; readonly order: string }>();

  constructor(definition: IndexDefinition) {
    this.definition = definition;
  }

  /** What the index holds of an item; undefined if it lacks one of the keys. */
  project(item: Item | undefined): Item | undefined {
    const { partitionKey, sortKey, include } = this.definition;
    if (item?.[partitionKey] === undefined || item[sortKey] === undefined) return undefined;
    const projected: Record<string, Item[string]> = {};
    for (const name of ['pk', 'sk', partitionKey, sortKey, ...include]) {
      const value = item[name];
      if (value !== undefined) projected[name] = value;
    }
    return projected;
  }

  change(id: string, item: Item | undefined, now: number, lagMs: number): void {
    const visibleAt = Math.max(now + lagMs, this.#latest.get(id) ?? 0);
    this.#latest.set(id, visibleAt);
    let at = this.#pending.length;
    while (at > 0 && (this.#pending[at - 1] as Pending).visibleAt > visibleAt) at--;
    this.#pending.splice(at, 0, { visibleAt, id, item: this.project(item) });
  }

  catchUp(now: number): void {
    let done = 0;
    for (const { visibleAt, id, item } of this.#pending) {
      if (visibleAt > now) break;
      done++;
      if (this.#latest.get(id) === visibleAt) this.#latest.delete(id);
      const before = this.#shown.get(id);
      if (before) this.partitions.put(before.key, before.order, undefined);
      this.#shown.delete(id);
      if (item === undefined) continue;
      const key = item[this.definition.partitionKey] as string;
      const order = this.orderOf(item);
      this.partitions.put(key, order, item);
      this.#shown.set(id, { key, order });
    }
    if (done > 0) this.#pending.splice(0, done);
  }

  orderOf(item: Item): string {
    return `${item[this.definition.sortKey] as string}\u0000${item.pk as string}\u0000${item.sk as string}`;
  }
}

export interface TableOptions {
  readonly now: () => number;
  /** How long the next change takes to show in the indexes, ms. */
  readonly lagMs: (index: string) => number;
}

export class Table {
  readonly definition: TableDefinition;
  readonly #items = new Partitions();
  readonly #indexes: readonly Index[];
  readonly #options: TableOptions;

  constructor(definition: TableDefinition, options: TableOptions) {
    this.definition = definition;
    this.#indexes = definition.indexes.map((index) => new Index(index));
    this.#options = options;
  }

  get(pk: string, sk: string): Item | undefined {
    return this.#items.of(pk)?.get(sk);
  }

  put(pk: string, sk: string, item: Item | undefined): void {
    const before = this.get(pk, sk);
    this.#items.put(pk, sk, item);
    const id = `${pk}\u0000${sk}`;
    for (const index of this.#indexes) {
      if (isEqual(index.project(before), index.project(item))) continue;
      index.change(id, item, this.#options.now(), this.#options.lagMs(index.definition.name));
    }
  }

  /** Entries of one partition, of the table or of an index as it shows now, and how entries are ordered there. */
  partition(key: string, indexName: string | undefined) {
    if (indexName === undefined) {
      return { entries: this.#items.of(key)?.entries ?? [], orderOf: (item: Item) => item.sk as string };
    }
    const index = this.index(indexName);
    index.catchUp(this.#options.now());
    return {
      entries: index.partitions.of(key)?.entries ?? [],
      orderOf: (item: Item) => index.orderOf(item),
    };
  }

  index(name: string): Index {
    const found = this.#indexes.find(({ definition }) => definition.name === name);
    if (!found) throw new Error(`no index ${name}`);
    return found;
  }

  /** Every item, of the table or of an index. */
  *scan(indexName?: string): Generator<Item> {
    const index = indexName === undefined ? undefined : this.index(indexName);
    index?.catchUp(this.#options.now());
    for (const partition of (index?.partitions ?? this.#items).all.values()) {
      for (const { item } of partition.entries) yield item;
    }
  }

  /** Write units of one change with its index entries; a transaction doubles the item's own (`factor` 2). */
  writeUnits(before: Item | undefined, after: Item | undefined, factor: number): number {
    const kilobytes = (...items: (Item | undefined)[]) =>
      Math.max(1, ...items.map((item) => (item ? Math.ceil(sizeOf(item) / 1024) : 1)));
    let units = factor * kilobytes(before, after);
    for (const index of this.#indexes) {
      const [old, fresh] = [index.project(before), index.project(after)];
      if (isEqual(old, fresh)) continue;
      if (old && fresh && index.orderOf(old) === index.orderOf(fresh)) units += kilobytes(old, fresh);
      else units += (old ? kilobytes(old) : 0) + (fresh ? kilobytes(fresh) : 0);
    }
    return units;
  }
}
