// What AWS asks for each unit, by region, with the date of the list. Everything billed by count is per million.
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { BorealisError } from '../../shared/lib/errors.ts';
import { usageSchema } from './usage.ts';

/** Of every unit that is counted, GB seconds being those of arm64, and of what is billed in another way. */
const regionPricesSchema = usageSchema.omit({ logBytes: true }).extend({
  logGigabyte: z.number(),
  alarmMonth: z.number(),
  metricMonth: z.number(),
  dashboardMonth: z.number(),
  /** For comparison: a machine fit for a scheduler (m6i.large) and one for a cluster's own pods (t4g.medium). */
  schedulerMachineHour: z.number(),
  systemNodeHour: z.number(),
  diskGigabyteMonth: z.number(),
  eksHour: z.number(),
});
export type RegionPrices = z.infer<typeof regionPricesSchema>;

const pricesSchema = z.strictObject({
  date: z.iso.date(),
  currency: z.string(),
  note: z.string(),
  regions: z.record(z.string(), regionPricesSchema),
});
export type Prices = z.infer<typeof pricesSchema>;

/** The list in this folder, or another of the same shape; INVALID_CONFIG says what is wrong with it. */
export function readPrices(file?: string): Prices {
  const path = file ?? new URL('./prices.json', import.meta.url);
  try {
    return pricesSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String((cause as Error).message);
    throw new BorealisError('INVALID_CONFIG', `${String(path)} is not a list of prices: ${why}`, { cause });
  }
}

/** The prices of one region; INVALID_REQUEST names the regions of the list. */
export function regionPrices(prices: Prices, region: string): RegionPrices {
  const found = prices.regions[region];
  if (found) return found;
  const known = Object.keys(prices.regions).join(', ');
  throw new BorealisError(
    'INVALID_REQUEST',
    `there are no prices for ${region}; known are ${known}. Give a list of your own with --prices.`,
  );
}
