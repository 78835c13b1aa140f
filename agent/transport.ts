// The port between an agent and its control plane. SQS and HTTP in production, memory in tests.
import type { AgentCommand, AgentReport, DesiredTasks } from '../shared/model/protocol.ts';

/** A command that is handed out again unless it is acknowledged. */
export interface ReceivedCommand {
  readonly command: AgentCommand;
  /** Called once the command is recorded; failing to acknowledge only means seeing it again. */
  ack(): Promise<void>;
}

export interface AgentTransport {
  /** Resolves once the control plane's queue has taken the report; rejects if it has not. */
  send(report: AgentReport): Promise<void>;
  /** Waits some seconds for commands; rejects when there is no queue (yet) or it can't be reached. */
  receive(signal: AbortSignal): Promise<readonly ReceivedCommand[]>;
  /**
   * What this agent should run. Rejects with BorealisError NOT_FOUND if the agent or its session is unknown, CONFLICT if
   * another process has taken its place.
   */
  desired(sessionId: string, signal: AbortSignal): Promise<DesiredTasks>;
}
