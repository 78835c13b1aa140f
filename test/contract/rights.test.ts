// The rights of each store method (shared/store/rights.ts) against what it really sends while the whole contract runs.
import { describe, expect, it } from 'vitest';
import type { Store } from '../../shared/store/port.ts';
import { storeRights } from '../../shared/store/rights.ts';
import { embeddedEngine } from './engines.ts';
import { type RecordedRights, recording } from './recorded-rights.ts';
import { storeContract } from './store.contract.ts';

const recorded: RecordedRights = new Map();

describe('while the store contract runs', () => {
  storeContract(async () => recording(await embeddedEngine(), recorded));
});

describe('the rights of store methods', () => {
  it.each(Object.keys(storeRights) as (keyof Store)[])('%s: as declared', (method) => {
    const sent = [...(recorded.get(method) ?? [])].toSorted();
    expect(sent, `the contract never calls ${method}: add a test of it`).not.toEqual([]);
    expect(
      [...storeRights[method]].toSorted(),
      `declare in shared/store/rights.ts what ${method} sends`,
    ).toEqual(sent);
  });
});
