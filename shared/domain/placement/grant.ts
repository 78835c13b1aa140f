// Grants: the concrete port numbers a task gets. Cards are chosen by rank.ts.
import type { AgentSnapshot } from './types.ts';

/** Numbers stepped over per ledger version; more than one write usually takes, so freed ports rest a while. */
const stride = 64;

/**
 * Gives out an agent's ports in turn. It starts where the ledger's version points and goes round the range, so the
 * choice can be replayed, and a port given back isn't given again until the range has gone round.
 */
export class PortTurn {
  private readonly first: number;
  private readonly size: number;
  private readonly used: Set<number>;
  private offset: number;

  constructor({ agent, ledger }: AgentSnapshot) {
    this.first = agent.capacity.portRange[0];
    this.size = agent.capacity.portRange[1] - this.first + 1;
    this.used = new Set(ledger.usedPorts);
    this.offset = (ledger.version * stride) % Math.max(1, this.size);
  }

  /** A number for each distinct name. The caller has checked that enough are free. */
  give(names: readonly string[]): Record<string, number> {
    if (names.length === 0) return {};
    return Object.fromEntries([...new Set(names)].map((name) => [name, this.next()]));
  }

  private next(): number {
    for (let step = 0; step < this.size; step++) {
      const port = this.first + this.offset;
      this.offset = (this.offset + 1) % this.size;
      if (this.used.has(port)) continue;
      this.used.add(port);
      return port;
    }
    throw new RangeError(`no free port left in ${this.first}..${this.first + this.size - 1}`);
  }
}
