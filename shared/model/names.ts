// Names that the control plane, the agents and the CLI must agree on without asking each other.

/** The SQS queue of one agent's commands; created by the control plane after the agent's first registration. */
export function agentQueueName(cluster: string, agentId: string): string {
  return `borealis-${cluster}-agent-${agentId}`;
}

/** The queue all agents report to. */
export function intakeQueueName(cluster: string): string {
  return `borealis-${cluster}-intake`;
}

/** The queue of heartbeats: nothing is called for each, a roll call empties it every minute. */
export function heartbeatQueueName(cluster: string): string {
  return `borealis-${cluster}-heartbeats`;
}

/** The Step Functions state machine of updates. */
export function updateWorkflowName(cluster: string): string {
  return `borealis-${cluster}-update`;
}

/** Name of one execution of the update workflow: the same update and number never run twice. */
export function updateExecutionName(updateId: string, sequence: number): string {
  return `${updateId}-${sequence}`;
}

/** The queue of requests by other services (docs/events.md). */
export function commandsQueueName(cluster: string): string {
  return `borealis-${cluster}-commands`;
}

/** The event bus: state changes out, commands in. */
export function eventBusName(cluster: string): string {
  return `borealis-${cluster}`;
}

/** Source of every event on the bus. */
export const eventSource = 'borealis';
