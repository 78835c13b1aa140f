// How much memory the roll call gets by the size of the fleet. On Lambda a share of a processor comes with memory, and an
// agent costs the roll call about 0.45 ms of one (`node bench/roll-call.ts`, no TLS). At 96 KB an agent that is 8 s of a
// minute, whatever the size; there is room for TLS, and for twice as many heartbeats after a minute that was missed.

const kbPerAgent = 96;
const leastMb = 192;
const stepMb = 64;

/** Beyond one processor (1,769 MB) more memory would not help code that runs on one thread. */
export const largestFleet = 18_000;

/** MB, for so many agents. */
export function rollCallMemoryMb(fleetSize: number): number {
  return Math.max(leastMb, Math.ceil((fleetSize * kbPerAgent) / 1_000 / stepMb) * stepMb);
}
