// Who may speak for an agent (docs/adr, security): an agent id belongs to the IAM identity that registered it first. The
// identity is the unique id IAM gives a caller (`aws:userid`): SQS sets it on each message as SenderId and API Gateway
// passes it as userId, so neither can be made up. For a role it is ROLE-ID:SESSION, on EC2 with the instance id as
// session: another machine with the same role is another identity.

/**
 * How identities are checked. `none`: not at all (an open API). `bound`: whoever registers an agent id first owns it.
 * `session`: as `bound`, and an agent id must be the name of its caller's role session (on EC2: the instance id).
 */
export const identityModes = ['none', 'bound', 'session'] as const;
export type IdentityMode = (typeof identityModes)[number];

export interface IdentityQuestion {
  readonly agentId: string;
  /** Unique id of the caller; undefined if the service did not say. */
  readonly caller: string | undefined;
  /** Owner of the agent id; undefined while it has none. */
  readonly owner: string | undefined;
  readonly mode: IdentityMode;
}

export type IdentityVerdict =
  | { readonly kind: 'own' }
  /** Nobody owns the id yet, and this caller may. */
  | { readonly kind: 'free' }
  /** `why` is for a person: what is wrong and what to do. */
  | { readonly kind: 'refused'; readonly why: string };

const instanceId = /^i-[0-9a-f]{8,17}$/;

/** Whether a caller may act as an agent. */
export function checkIdentity({ agentId, caller, owner, mode }: IdentityQuestion): IdentityVerdict {
  if (mode === 'none') return { kind: 'own' };
  if (caller === undefined || caller === '') {
    return refused(`nobody signed in the name of agent ${agentId}`);
  }
  const session = sessionOf(caller);
  // Ids of instances are known to others before an agent uses them, so they can't be left to whoever comes first.
  if ((mode === 'session' || instanceId.test(agentId)) && session !== agentId) {
    return refused(
      `the agent id ${agentId} is for the role session of that name, and the caller is ${caller}; start the agent with --id ${session ?? 'and a role session of the same name'}`,
    );
  }
  if (owner === undefined) return { kind: 'free' };
  if (owner === caller) return { kind: 'own' };
  return refused(
    `agent ${agentId} belongs to ${owner}, and the caller is ${caller}; give this agent another --id, keep the name of its role session the same (role_session_name), or hand the id over with \`borealis agent rebind ${agentId}\``,
  );
}

/** The session of a role (`AROA...:session`); undefined for a user or an account. */
function sessionOf(caller: string): string | undefined {
  const at = caller.indexOf(':');
  return at < 0 ? undefined : caller.slice(at + 1);
}

function refused(why: string): IdentityVerdict {
  return { kind: 'refused', why };
}
