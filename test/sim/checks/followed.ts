// Two machines of one agent id: the one that was followed learns of it, and ends what it runs. Asked at intervals while
// the run goes on, since in the end the second machine is gone.
import type { SimAgent } from '../world/agent.ts';
import type { World } from '../world/world.ts';
import type { Monitor } from './monitor.ts';
import { Violation } from './violation.ts';

export interface GiveWay {
  /** Within so long a machine at work asks what it should run, and is turned away, ms. */
  readonly learnMs: number;
  /** Within so long it begins to end what it runs, ms. */
  readonly endMs: number;
}

interface Seen {
  /** When it was first seen at work although it had been followed. */
  readonly since: number;
  learnedAt: number;
}

export class FollowedMachines {
  readonly #world: World;
  readonly #monitor: Monitor;
  readonly #giveWay: GiveWay;
  readonly #seen = new Map<string, Seen>();

  constructor(world: World, monitor: Monitor, giveWay: GiveWay) {
    this.#world = world;
    this.#monitor = monitor;
    this.#giveWay = giveWay;
  }

  look(): void {
    const { agents, twins, outage } = this.#world;
    const isAway = outage.store || outage.functions;
    for (const twin of twins.values()) {
      for (const machine of [twin, agents.get(twin.id)]) {
        if (machine) this.#lookAt(machine, isAway);
      }
    }
  }

  #lookAt(machine: SimAgent, isAway: boolean): void {
    const { now } = this.#world.scheduler;
    const { sessionId, id } = machine;
    const { pastSessions = [] } = this.#monitor.agents.get(id)?.agent ?? {};
    const hears = machine.isUp && machine.isLinked && !isAway;
    if (!hears || !pastSessions.includes(sessionId)) {
      this.#seen.delete(sessionId);
      return;
    }
    const alive = machine.alive();
    const seen = this.#seen.get(sessionId) ?? (alive.length > 0 ? { since: now, learnedAt: now } : undefined);
    // Only at work it asks often.
    if (!seen) return;
    this.#seen.set(sessionId, seen);
    if (machine.isTurnedAway) seen.learnedAt = now;
    const { learnMs, endMs } = this.#giveWay;
    const running = alive.find((taskId) => !machine.isEnding(taskId));
    if (now - seen.learnedAt > learnMs)
      this.#raise(`${sessionId} is not turned away though another machine is ${id}`);
    else if (now - seen.since > endMs && running !== undefined)
      this.#raise(`${running} still runs on ${sessionId} though another machine is ${id}`);
  }

  #raise(problem: string): void {
    this.#monitor.violation ??= new Violation(problem);
  }
}
