// A plan played through on the agents as they are: room that a batch gives back, batches one after another, limits.
import { describe, expect, it } from 'vitest';
import { take } from '../../../../shared/domain/placement/index.ts';
import { type ForecastInput, forecastUpdate, poolsOf } from '../../../../shared/domain/update/forecast.ts';
import type { Task } from '../../../../shared/model/task.ts';
import type { TaskConfig } from '../../../../shared/model/task-config.ts';
import { makeConfig, makeTask } from '../../../contract/fixtures.ts';
import { sampleAgent, sampleResources } from '../placement/sample-fleet.ts';
import { all, job, started } from './sample-update.ts';

const grant = { gpus: [], ports: {} };

/** `instances` run on one agent of 8 cores, `cpuMilli` each; the new config takes `newCpuMilli`. */
function input(
  instances: number,
  sizes: { readonly cpuMilli: number; readonly newCpuMilli: number; readonly groupSize?: number },
  over: Partial<TaskConfig> = {},
): ForecastInput {
  const { cpuMilli, newCpuMilli, groupSize = 1 } = sizes;
  const newest = new Map<number, Task>();
  let agent = sampleAgent('a1', { attributes: { rack: ['r1'] } });
  for (let instance = 0; instance < instances; instance++) {
    const resources = sampleResources({ cpuMilli });
    const task = makeTask({
      ...job,
      instance,
      state: 'RUNNING',
      configId: 'old',
      agentId: 'a1',
      grant,
      resources,
    });
    agent = { ...agent, ledger: take(agent.ledger, resources, grant, task.taskId) };
    newest.set(instance, task);
  }
  const settings = { strategy: { kind: 'batch' as const, groupSize } };
  const last = instances - 1;
  return {
    update: started([all('old', [0, last])], [all('new', [0, last])], settings),
    newest,
    pools: new Map([['default', [agent]]]),
    configOf: () => makeConfig({ resources: sampleResources({ cpuMilli: newCpuMilli }), ...over }),
    now: 0,
    most: 1000,
  };
}
const placesOf = (given: ForecastInput) =>
  forecastUpdate(given).steps.map(({ instance, batch, create }) => [
    instance,
    batch,
    create?.agentId ?? create?.reason?.counts[0]?.code,
  ]);

describe('forecastUpdate', () => {
  it('places a batch in the room that its own take-downs give back', () => {
    expect(placesOf(input(4, { cpuMilli: 2000, newCpuMilli: 2000 }))).toEqual([
      [0, 1, 'a1'],
      [1, 2, 'a1'],
      [2, 3, 'a1'],
      [3, 4, 'a1'],
    ]);
  });

  it('lets what was placed hold its room, so that a version that grew stops fitting', () => {
    expect(placesOf(input(4, { cpuMilli: 2000, newCpuMilli: 3000, groupSize: 2 }))).toEqual([
      [0, 1, 'a1'],
      [1, 1, 'CPU'],
      [2, 2, 'a1'],
      [3, 2, 'CPU'],
    ]);
  });

  it('counts limit constraints against what still runs', () => {
    const constraints = [{ kind: 'limit' as const, attribute: 'rack', limit: 2 }];
    const given = input(3, { cpuMilli: 1000, newCpuMilli: 1000 }, { constraints });
    expect(placesOf(given)).toEqual([
      [0, 1, 'LIMIT'],
      [1, 2, 'a1'],
      [2, 3, 'a1'],
    ]);
  });

  it('ends what is removed and creates nothing for it', () => {
    const given = input(2, { cpuMilli: 1000, newCpuMilli: 1000 });
    const update = started([all('old', [0, 1])], [all('old', [0, 0])]);
    const { steps } = forecastUpdate({ ...given, update });
    expect(steps).toEqual([{ instance: 1, batch: 1, kill: given.newest.get(1) }]);
  });

  it('looks at no more instances than asked for, and changes none of what it was given', () => {
    const given = input(8, { cpuMilli: 500, newCpuMilli: 500, groupSize: 3 });
    const before = structuredClone([...given.pools]);
    const { steps, unlisted, batches } = forecastUpdate({ ...given, most: 4 });
    expect([steps.length, unlisted, batches]).toEqual([4, 4, 3]);
    expect([...given.pools]).toEqual(before);
  });

  it('needs the agents of the pools that tasks leave and enter', () => {
    const given = input(1, { cpuMilli: 500, newCpuMilli: 500 });
    expect(poolsOf(given.update, given.newest, () => makeConfig({ pool: 'other' }))).toEqual([
      'other',
      'default',
    ]);
  });
});
