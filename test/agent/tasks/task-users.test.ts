// Users for roles without one: one account a role, never two roles with one user, also after a restart.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { accountsCalled, TaskUsers } from '../../../agent/tasks/task-users.ts';
import { temporaryDir } from '../fakes/agent-fixture.ts';

const accounts = { names: ['task-0', 'task-1'], roleUids: [20_000, 29_999] } as const;
/** Accounts of the machine. */
const uids: Readonly<Record<string, number>> = {
  root: 0,
  'ec2-user': 1000,
  web: 20_001,
  edge: 29_999,
  high: 30_000,
  'task-0': 29_000,
  'task-1': 29_001,
};
const uidOf = (name: string) => uids[name];
const nobody = new Set<string>();

describe('users of tasks', () => {
  it('are those of the role where it has one of its own, which takes no account', () => {
    const users = new TaskUsers(temporaryDir(), accounts, uidOf);
    expect(['web', 'edge', 'a', 'b'].map((role) => users.userFor(role, nobody))).toEqual([
      'web',
      'edge',
      'task-0',
      'task-1',
    ]);
  });

  it.each(['root', 'ec2-user', 'high', 'task-1'])(
    'are accounts for tasks where the role is called like the account %s, which is none of a role',
    (role) => {
      expect(new TaskUsers(temporaryDir(), accounts, uidOf).userFor(role, nobody)).toBe('task-0');
    },
  );

  it('stay the same, also for the next agent', () => {
    const dir = temporaryDir();
    const users = new TaskUsers(dir, accounts, uidOf);
    expect(['a', 'b', 'a'].map((role) => users.userFor(role, nobody))).toEqual([
      'task-0',
      'task-1',
      'task-0',
    ]);
    const next = new TaskUsers(dir, accounts, uidOf);
    expect(['b', 'a'].map((role) => next.userFor(role, nobody))).toEqual(['task-1', 'task-0']);
    expect(statSync(join(dir, 'users.json')).mode & 0o777).toBe(0o600);
  });

  it('go to another role only when none is left and no file of the first is here', () => {
    const users = new TaskUsers(temporaryDir(), accounts, uidOf);
    users.userFor('a', nobody);
    users.userFor('b', nobody);
    expect(() => users.userFor('c', new Set(['a', 'b']))).toThrow(/2 roles .* no more accounts; give role c/);
    expect(users.userFor('c', new Set(['a']))).toBe('task-1');
    expect(() => users.userFor('b', new Set(['a', 'c']))).toThrow(/no more accounts/);
    expect(users.userFor('a', new Set(['a', 'c']))).toBe('task-0');
  });

  it('are not given at all while what was given cannot be read', () => {
    const dir = temporaryDir();
    writeFileSync(join(dir, 'users.json'), '{"a": "tas');
    expect(() => new TaskUsers(dir, accounts, uidOf)).toThrow(/JSON/);
    expect(readFileSync(join(dir, 'users.json'), 'utf8')).toBe('{"a": "tas');
  });

  it('forget an account that is gone from the machine', () => {
    const dir = temporaryDir();
    new TaskUsers(dir, accounts, uidOf).userFor('a', nobody);
    const fewer = new TaskUsers(dir, { ...accounts, names: ['task-1'] }, uidOf);
    expect(fewer.userFor('a', nobody)).toBe('task-1');
  });

  it('are found by the names that the installation gives them', () => {
    const passwd = join(temporaryDir(), 'passwd');
    writeFileSync(
      passwd,
      'root:x:0:0::/:/bin/sh\nborealis-task:x:20000:::\nborealis-task-0:x:29000:::\nborealis-task-1x:x:1:::\nborealis-task-12:x:29012:::\n',
    );
    expect(accountsCalled('borealis-task', passwd)).toEqual(['borealis-task-0', 'borealis-task-12']);
    expect(accountsCalled('borealis-task', '/nowhere')).toEqual([]);
  });
});
