// What idle agents make a cluster use, in two parts: what the roll call uses once there is an agent, however many, and
// what each agent adds.
import { addUsage, nothing, type Units, type Usage } from '../cli/cost/usage.ts';

/** Messages that one receive, and one delete, of the roll call takes in a fleet that is not small. */
const messagesPerRequest = 10;

/** What all agents together did, per hour. */
export interface AgentsDid {
  readonly agents: number;
  /** Messages they sent, and requests for messages. */
  readonly sent: number;
  readonly received: number;
  /** Their calls of the API, and what these took. */
  readonly api: { readonly calls: number; readonly gbSeconds: number; readonly readUnits: number };
}

/**
 * All per hour: use without agents and with them, and what the agents did themselves. Their calls of the API are theirs;
 * what else is more than without agents is the roll call's. A small fleet's heartbeats fit into
 * the requests the roll call makes anyway; an agent is charged its part of those that a large one takes.
 */
export function splitFleet(
  none: Usage,
  all: Usage,
  { agents, sent, received, api }: AgentsDid,
): Pick<Units, 'fleetHour' | 'agentHour'> {
  const more = addUsage([all, 1], [none, -1]);
  const fleetHour = notBelowZero({
    ...more,
    apiRequests: 0,
    invocations: more.invocations - api.calls,
    gbSeconds: more.gbSeconds - api.gbSeconds,
    readUnits: more.readUnits - api.readUnits,
    schedulerCalls: 0,
  });
  const agentHour = {
    ...nothing,
    invocations: api.calls / agents,
    gbSeconds: api.gbSeconds / agents,
    readUnits: api.readUnits / agents,
    apiRequests: api.calls / agents,
    sqsRequests: (sent + received + (2 * sent) / messagesPerRequest) / agents,
  };
  return { fleetHour, agentHour };
}

/** Durations differ more from one window to the next than agents add to them. */
export function notBelowZero(usage: Usage): Usage {
  const entries = Object.entries(usage).map(([unit, amount]) => [unit, Math.max(0, amount)]);
  return Object.fromEntries(entries) as Usage;
}
