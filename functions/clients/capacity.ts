// Counts the capacity units the store reports, per operation, and requests to queues, per command, for this process. Off unless METER_CAPACITY is 'true'; the
// embedded stack runs all functions in one process and reads the totals from here.
import type { CapacityMeter } from '../../shared/store/port.ts';

export interface CapacityUse {
  readonly operation: string;
  readonly table: string;
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly requests: number;
}

const totals = new Map<string, CapacityUse>();

/** The meter every store of this process adds to. */
export const capacityMeter: CapacityMeter = {
  add(operation, table, writeUnits, readUnits) {
    const name = `${operation} ${table}`;
    const sum = totals.get(name);
    totals.set(name, {
      operation,
      table,
      writeUnits: (sum?.writeUnits ?? 0) + writeUnits,
      readUnits: (sum?.readUnits ?? 0) + readUnits,
      requests: (sum?.requests ?? 0) + 1,
    });
  },
};

/** Everything counted so far in this process. */
export function capacityTotals(): readonly CapacityUse[] {
  return [...totals.values()];
}

const requests = new Map<string, number>();

/** Counts one request to a queue, such as `SendMessageBatch`. */
export function countRequest(command: string): void {
  requests.set(command, (requests.get(command) ?? 0) + 1);
}

/** Requests to queues so far in this process, by command. */
export function requestTotals(): Readonly<Record<string, number>> {
  return Object.fromEntries(requests);
}
