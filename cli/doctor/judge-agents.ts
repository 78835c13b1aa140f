// Agents: are there any, do they report, do they have the version of the control plane?
import type { AgentFacts, Facts, Finding } from './facts.ts';

/** Heartbeats come every 30 to 60 s; this is several in a row. */
const silentMs = 150_000;
const shownAtMost = 5;

export function judgeAgents({ agents, api, now }: Facts): Finding[] {
  if (!('found' in agents)) {
    // Why the API does not answer is said already.
    if (!('found' in api)) return [];
    return [
      {
        check: 'agents',
        level: 'unknown',
        message: `the list of agents could not be had: ${agents.why}`,
        todo: 'Ask for GET /agents in the policy of this identity.',
      },
    ];
  }
  const all = agents.found;
  if (all.length === 0) {
    return [
      {
        check: 'agents',
        level: 'warning',
        message: 'no agent has registered, so every task waits',
        todo: 'Start one with `borealis agent run` on a machine that reaches the API and SQS.',
      },
    ];
  }
  const findings = [...judgeSilence(all, now), ...judgeVersions(all, api)];
  if (findings.length > 0) return findings;
  return [
    {
      check: 'agents',
      level: 'ok',
      message: `${all.length} agents, all report and have the control plane's version`,
    },
  ];
}

function judgeSilence(all: readonly AgentFacts[], now: number): Finding[] {
  const silent = all.filter(({ lastSeenAt }) => lastSeenAt === undefined || now - lastSeenAt > silentMs);
  if (silent.length === 0) return [];
  const isAll = silent.length === all.length;
  return [
    {
      check: 'agents',
      level: isAll ? 'problem' : 'warning',
      message: `${silent.length} of ${all.length} agents are silent: ${shown(
        silent,
        ({ agentId, lastSeenAt }) =>
          lastSeenAt === undefined
            ? `${agentId} (never seen)`
            : `${agentId} (${Math.round((now - lastSeenAt) / 60_000)} min)`,
      )}`,
      todo: isAll
        ? 'All at once is rarely the machines: look at the intake queue and the function agent-events (docs/runbook.md#intake-backlog).'
        : 'Is the machine up, the agent running (journalctl -u borealis-agent), does it reach SQS and is its clock right?',
    },
  ];
}

function judgeVersions(all: readonly AgentFacts[], api: Facts['api']): Finding[] {
  if (!('found' in api)) return [];
  const others = all.filter(({ version }) => version !== api.found.version);
  if (others.length === 0) return [];
  return [
    {
      check: 'agents',
      level: 'warning',
      message: `${others.length} of ${all.length} agents have another version than the control plane (${api.found.version}): ${shown(others, ({ agentId, version }) => `${agentId} (${version})`)}`,
      todo: 'Upgrade the control plane first, then the agents one by one; tasks go on meanwhile (docs/upgrading.md).',
    },
  ];
}

function shown<T>(items: readonly T[], text: (item: T) => string): string {
  const more = items.length > shownAtMost ? `, and ${items.length - shownAtMost} more` : '';
  return items.slice(0, shownAtMost).map(text).join(', ') + more;
}
