// Names that both sides of the agent protocol derive instead of telling each other.

/** The SQS queue of one agent's commands; made by the control plane some moments after the agent registered. */
export function agentQueueName(cluster: string, agentId: string): string {
  return `borealis-${cluster}-agent-${agentId}`;
}
