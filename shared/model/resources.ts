// Resources as a vector: what a task asks for, what an agent has, and the share of named GPUs and ports it holds.
import * as z from 'zod';

/**
 * What one task needs. CPU in thousandths of a core, memory and disk in MiB, GPUs in whole cards or, with `gpuMilli`
 * below 1000, a share of one card (design section 3; openb README).
 */
export const resourcesSchema = z.strictObject({
  cpuMilli: z.number().int().min(1).max(1_024_000),
  ramMb: z.number().int().min(1).max(67_108_864),
  diskMb: z.number().int().min(0).max(1_073_741_824),
  /** Number of cards; 0 = none. */
  gpus: z.number().int().min(0).max(64).default(0),
  /** Share of each card in thousandths; below 1000 only when `gpus` is 1. */
  gpuMilli: z.number().int().min(0).max(1000).default(0),
  /** Acceptable GPU models; empty = any. */
  gpuModels: z.array(z.string().min(1).max(64)).max(32).default([]),
  /** Names of the ports to reserve; each gets a number at assignment. */
  ports: z
    .array(z.string().regex(/^[\w-]{1,64}$/))
    .max(64)
    .default([]),
});
export type Resources = z.infer<typeof resourcesSchema>;

/**
 * One card on an agent: its model and how much of it is free, in thousandths; below zero if the card is gone while
 * tasks still hold something of it.
 */
export const gpuDeviceSchema = z.object({ model: z.string(), freeMilli: z.number().int().max(1000) });
export type GpuDevice = z.infer<typeof gpuDeviceSchema>;

/** What an agent has in total, as it registers it. */
export const capacitySchema = z.strictObject({
  cpuMilli: z.number().int().min(0),
  ramMb: z.number().int().min(0),
  diskMb: z.number().int().min(0),
  /** Models of the cards, one entry a card; its index is the device number. */
  gpus: z.array(z.string().min(1).max(64)).max(64).default([]),
  /** Inclusive range of port numbers that tasks may be given. */
  portRange: z.tuple([z.number().int().min(1).max(65535), z.number().int().min(1).max(65535)]),
});
export type Capacity = z.infer<typeof capacitySchema>;

/** The concrete cards and port numbers a task was given. */
export const grantSchema = z.object({
  /** [device index, thousandths of it] per card. */
  gpus: z.array(z.tuple([z.number().int(), z.number().int()])),
  ports: z.record(z.string(), z.number().int()),
});
export type Grant = z.infer<typeof grantSchema>;
