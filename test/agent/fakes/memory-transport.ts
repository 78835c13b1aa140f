// A control plane in memory for agent tests: keeps what the agent reports, hands out commands and the level.

import type { AgentTransport, ReceivedCommand } from '../../../agent/transport.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import type { AgentCommand, AgentReport, DesiredTasks, TaskStatus } from '../../../shared/model/protocol.ts';
import { agentReportSchema } from '../../../shared/model/protocol.ts';

export class MemoryTransport implements AgentTransport {
  readonly reports: AgentReport[] = [];
  /** Commands that were acknowledged. */
  readonly acknowledged: AgentCommand[] = [];
  /** The level; undefined answers as for an unknown agent. */
  level: (() => DesiredTasks | undefined) | undefined;
  /** While true everything fails, as in an outage. */
  isDown = false;
  /** While true another process has taken this agent's place. */
  isSuperseded = false;
  levelRequests = 0;
  #queue: AgentCommand[] = [];
  #arrived: (() => void) | undefined;

  async send(report: AgentReport): Promise<void> {
    this.#refuseIfDown();
    // What the real control plane would refuse must not pass here.
    this.reports.push(agentReportSchema.parse(JSON.parse(JSON.stringify(report))));
  }

  async receive(signal: AbortSignal): Promise<readonly ReceivedCommand[]> {
    this.#refuseIfDown();
    if (this.#queue.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#queue.splice(0).map((command) => ({
      command,
      ack: async () => {
        this.acknowledged.push(command);
      },
    }));
  }

  async desired(): Promise<DesiredTasks> {
    this.#refuseIfDown();
    this.levelRequests++;
    if (this.isSuperseded) throw new BorealisError('CONFLICT', 'another process has this id');
    const level = this.level?.();
    if (!level) throw new BorealisError('NOT_FOUND', 'unknown agent');
    return level;
  }

  command(command: AgentCommand): void {
    this.#queue.push(command);
    this.#arrived?.();
  }

  statusesOf(taskId: string): TaskStatus[] {
    return this.reports
      .flatMap((report) => (report.kind === 'status' ? report.statuses : []))
      .filter((status) => status.taskId === taskId);
  }

  #refuseIfDown(): void {
    if (this.isDown) throw new BorealisError('UNAVAILABLE', 'the control plane is down');
  }
}
