// What IAM decides for identity policies: an explicit Deny wins, an Allow is needed, * and ? stand for any characters
// (also for slashes). Conditions are not known here: a policy that has one is refused.

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}
export interface Policy {
  readonly Version: string;
  readonly Statement: readonly Statement[];
}

export function allows(policy: Policy, action: string, resource: string): boolean {
  const matching = policy.Statement.filter((statement) => {
    const extra = Object.keys(statement).filter(
      (key) => !['Sid', 'Effect', 'Action', 'Resource'].includes(key),
    );
    if (extra.length > 0) throw new Error(`this evaluation does not know ${extra.join(', ')}`);
    return (
      [statement.Action].flat().some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
      [statement.Resource].flat().some((pattern) => matches(pattern, resource))
    );
  });
  return matching.length > 0 && matching.every(({ Effect }) => Effect === 'Allow');
}

function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
