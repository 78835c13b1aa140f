// The machine of an agent, as far as a chaos run can hurt it: everything that runs on it, and its disk.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { processesWith } from '../harness.ts';

export interface Machine {
  /** SIGKILL for the agent and for every process of its tasks, as when the power fails. */
  powerOff(): Promise<void>;
  /** Removes whatever the agent has kept. */
  wipe(): void;
}

/** The machine of an agent, whose work directory lies in `dir` and has its name. */
export function machineOf(agentId: string, dir: string): Machine {
  const workDir = join(dir, agentId);
  return {
    async powerOff() {
      // What was being started while the others were killed is found by the next look.
      for (let quietLooks = 0; quietLooks < 2; ) {
        const found = processesWith(workDir);
        for (const pid of found) end(pid);
        quietLooks = found.length === 0 ? quietLooks + 1 : 0;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    wipe: () => rmSync(workDir, { recursive: true, force: true }),
  };
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}
