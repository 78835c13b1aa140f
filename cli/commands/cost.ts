// borealis cost: what an installation costs a month, from units that were counted and prices with a date.
import { readFileSync } from 'node:fs';
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { agentMonthUsd, alternatives, type Cost, count, monthlyCost } from '../cost/model.ts';
import { readPrices, regionPrices } from '../cost/prices.ts';
import { type Units, unitsSchema } from '../cost/usage.ts';
import { tableLines } from '../output/table.ts';

export const examples: readonly Example[] = [
  ['borealis cost', 'an idle control plane'],
  ['borealis cost --agents 100 --tasks 1000000', 'with 100 agents and a million tasks a month'],
  [
    'borealis cost --agents 20 --updates 60 --update-instances 200 --update-batch 20',
    'with two updates a day of a job of 200 instances, 20 at a time',
  ],
  ['borealis cost --agents 20 --region eu-central-1 --json', 'elsewhere, for programs'],
];
export const exits = [3, 6] as const;

const defaultRegion = 'us-east-1';

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'What an installation costs a month, without the machines that run the tasks; --region says whose prices.',
    )
    .option('--agents <number>', 'agents, all month', wholeNumber, 0)
    .option('--tasks <number>', 'tasks a month', wholeNumber, 0)
    .option('--updates <number>', 'rolling updates a month', wholeNumber, 0)
    .option('--update-instances <number>', 'instances that each of them replaces', someNumber, 100)
    .option('--update-batch <number>', 'instances in a batch', someNumber, 10)
    .option('--prices <file>', 'a price list of your own, in the shape of cli/cost/prices.json')
    .option('--json', 'print as JSON')
    .action((options, self) => {
      const { out } = cli.session(self);
      const { region: name = defaultRegion } = self.optsWithGlobals() as { readonly region?: string };
      const prices = readPrices(options.prices);
      const region = regionPrices(prices, name);
      const units = readUnits();
      const { agents, tasks, updates: number, updateInstances: instances, updateBatch: batchSize } = options;
      const updates = { count: number, instances, batchSize };
      const cost = monthlyCost(units, region, { agents, tasks, updates });
      const agentUsd = agentMonthUsd(units, region);
      if (options.json) {
        const { measuredOn, command: measuredBy } = units;
        const basis = { region: name, pricesOf: prices.date, measuredOn, measuredBy };
        return out.json({ ...cost, agentMonthUsd: agentUsd, basis, alternatives: alternatives(region) });
      }
      for (const line of tableLines(['', 'COUNT', 'USD A MONTH'], rowsOf(cost), out.paint)) out.data(line);
      out.data('');
      out.data(`one idle agent  ${usd(agentUsd)} a month`);
      for (const { what, usd: price } of alternatives(region)) out.data(`${what}  ${usd(price)} a month`);
      out.say(`prices of ${name}, ${prices.date}; units counted on ${units.measuredOn}; see docs/cost.md`);
    });
}

/** The units counted last; they belong to this version of the software. */
export function readUnits(): Units {
  return unitsSchema.parse(JSON.parse(readFileSync(new URL('../cost/units.json', import.meta.url), 'utf8')));
}

function rowsOf({ parts, usd: total, alwaysFreeUsd }: Cost) {
  const right = (text: string) => ({ text, align: 'right' as const });
  return [
    ...parts.flatMap(({ part, lines, usd: sum }) => [
      [{ text: part, format: 'bold' as const }, '', right(usd(sum))],
      ...lines.map((line) => [`  ${line.what}`, right(count(line.count)), right(usd(line.usd))]),
    ]),
    [{ text: 'list price', format: 'bold' as const }, '', right(usd(total))],
    ['  less what every account gets free', '', right(usd(-alwaysFreeUsd))],
    [{ text: 'to pay', format: 'bold' as const }, '', right(usd(total - alwaysFreeUsd))],
  ];
}

function usd(amount: number): string {
  return amount !== 0 && Math.abs(amount) < 0.005 ? amount.toFixed(4) : amount.toFixed(2);
}

function someNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 0) return value;
  throw new BorealisError('INVALID_REQUEST', 'an update has at least one instance, and a batch too.');
}

function wholeNumber(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new BorealisError('INVALID_REQUEST', `"${text}" is not a number of something; write e.g. 100.`);
}
