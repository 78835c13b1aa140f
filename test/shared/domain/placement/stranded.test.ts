import { describe, expect, it } from 'vitest';
import { Fleet } from '../../../../shared/domain/placement/fleet.ts';
import { StrandedGpu, typicalAsks } from '../../../../shared/domain/placement/stranded.ts';
import type { Resources } from '../../../../shared/model/resources.ts';
import { sampleAgent, sampleResources } from './sample-fleet.ts';

const gpus = ['T4', 'T4', 'V100', 'V100'];
const fleet = new Fleet([sampleAgent('a1', { capacity: { gpus, diskMb: 300 } })]);

function strandedFor(changes: Partial<Resources>): number {
  const demand = fleet.demandOf(sampleResources(changes));
  return new StrandedGpu(fleet, [{ demand, weight: 1 }]).now(0);
}

describe('the stranded share of an agent with 8 cores, 16 GiB, 300 MiB of disk and 4 cards', () => {
  const whole = { gpus: 1, gpuMilli: 1000 };
  it.each<[string, Partial<Resources>, number]>([
    ['nothing, for tasks that use it up', { ...whole, cpuMilli: 2000 }, 0],
    ['what cpu can not serve', { ...whole, cpuMilli: 3000 }, 2000],
    ['what memory can not serve', { ...whole, ramMb: 6000 }, 2000],
    ['what disk can not serve', { ...whole, diskMb: 100 }, 1000],
    ['cards of other models', { ...whole, gpuModels: ['V100'] }, 2000],
    ['what is left of each card by shares', { gpus: 1, gpuMilli: 300, cpuMilli: 500 }, 4 * 100],
    ['what is left by shares that cpu bounds', { gpus: 1, gpuMilli: 300, cpuMilli: 4000 }, 4000 - 600],
    ['the card that a task of three leaves', { gpus: 3, gpuMilli: 1000 }, 1000],
    ['all, for a task that does not fit', { ...whole, cpuMilli: 9000 }, 4000],
  ])('is %s', (_, ask, expected) => {
    expect(strandedFor(ask)).toBeCloseTo(expected, 6);
  });

  it('is told of a task taken without taking it', () => {
    const ask = fleet.demandOf(sampleResources({ ...whole, cpuMilli: 2000 }));
    const measure = new StrandedGpu(fleet, [{ demand: ask, weight: 1 }]);
    const cpuOnly = fleet.demandOf(sampleResources({ cpuMilli: 1500 }));
    const share = fleet.demandOf(sampleResources({ cpuMilli: 2000, gpus: 1, gpuMilli: 400 }));

    expect(measure.after(0, ask, -1)).toBeCloseTo(0, 6);
    expect(measure.after(0, cpuOnly, -1)).toBeCloseTo(1000, 6);
    expect(measure.after(0, share, 2)).toBeCloseTo(600, 6);
    expect(measure.now(0)).toBeCloseTo(0, 6);
    expect([...fleet.cardFree]).toEqual([1000, 1000, 1000, 1000]);
  });

  it('weighs the asks of a plan by number over cpu, and leaves out those without GPUs', () => {
    const demand = (cpuMilli: number, cards: number) =>
      fleet.demandOf(sampleResources({ cpuMilli, gpus: cards, gpuMilli: cards * 1000 }));
    const asks = typicalAsks([
      { demand: demand(1000, 1), count: 1 },
      { demand: demand(500, 0), count: 50 },
      { demand: demand(4000, 1), count: 12 },
    ]);

    expect(asks.map(({ demand: { cpuMilli }, weight }) => [cpuMilli, weight])).toEqual([
      [4000, 0.75],
      [1000, 0.25],
    ]);
    expect(typicalAsks([])).toEqual([]);
  });
});
