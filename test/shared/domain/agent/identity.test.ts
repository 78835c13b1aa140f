import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkIdentity, type IdentityMode, identityModes } from '../../../../shared/domain/agent/identity.ts';

const host = 'AROAEXAMPLE:i-0123456789abcdef0';
const other = 'AROAEXAMPLE:i-0fedcba9876543210';
const user = 'AIDAEXAMPLE';

describe('whether a caller may act as an agent', () => {
  it.each<[IdentityMode, string, string | undefined, string | undefined, string]>([
    // mode, agent id, caller, owner, verdict
    ['none', 'a1', undefined, undefined, 'own'],
    ['none', 'a1', user, host, 'own'],
    ['bound', 'a1', undefined, undefined, 'refused'],
    ['bound', 'a1', '', undefined, 'refused'],
    ['bound', 'a1', user, undefined, 'free'],
    ['bound', 'a1', user, user, 'own'],
    ['bound', 'a1', host, user, 'refused'],
    ['bound', 'a1', other, host, 'refused'],
    ['bound', 'i-0123456789abcdef0', host, undefined, 'free'],
    ['bound', 'i-0123456789abcdef0', host, host, 'own'],
    ['bound', 'i-0123456789abcdef0', other, undefined, 'refused'],
    ['bound', 'i-0123456789abcdef0', user, undefined, 'refused'],
    ['bound', 'i-robot', user, undefined, 'free'],
    ['session', 'a1', host, undefined, 'refused'],
    ['session', 'a1', user, undefined, 'refused'],
    ['session', 'a1', 'AROAEXAMPLE:a1', undefined, 'free'],
    ['session', 'a1', 'AROAEXAMPLE:a1', 'AROAEXAMPLE:a1', 'own'],
    // The same session name under another role is another identity.
    ['session', 'a1', 'AROAOTHER:a1', 'AROAEXAMPLE:a1', 'refused'],
  ])('%s: agent %s, caller %s, owner %s: %s', (mode, agentId, caller, owner, verdict) => {
    expect(checkIdentity({ mode, agentId, caller, owner }).kind).toBe(verdict);
  });

  it('never lets two identities own one agent id', () => {
    const id = fc.string({ minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(id, id, id, fc.constantFrom(...identityModes), (agentId, caller, owner, mode) => {
        fc.pre(caller !== owner && mode !== 'none');
        expect(checkIdentity({ agentId, caller, owner, mode }).kind).toBe('refused');
      }),
    );
  });

  it('says how a refused agent can come in', () => {
    const why = (agentId: string, caller: string) => {
      const verdict = checkIdentity({ mode: 'bound', agentId, caller, owner: user });
      return verdict.kind === 'refused' ? verdict.why : '';
    };
    expect(why('a1', host)).toMatch(/belongs to AIDAEXAMPLE.*--id.*borealis agent rebind a1/);
    expect(why('i-0123456789abcdef0', other)).toContain('--id i-0fedcba9876543210');
  });
});
