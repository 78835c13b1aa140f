// Processes as the user named like the role; only root can do that.
import { chmodSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processesOf, startAgent, temporaryDir } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

function openDir(): string {
  const dir = temporaryDir();
  chmodSync(dir, 0o755); // the role's user must get through to its sandbox
  return dir;
}

describe.runIf(process.getuid?.() === 0)('runAsRole', () => {
  it('runs processes as the user of the role, in a sandbox that is its own', async () => {
    const { launch, kill, reported, log, sandbox } = await startAgent({
      runAsRole: true,
      workDir: openDir(),
    });
    const task = {
      ...launchOf({
        processes: [
          { name: 'who', cmdline: 'id -un; id -gn; echo $USER $LOGNAME; echo err > /dev/stderr; touch mine' },
          { name: 'direct', cmdline: 'echo out > /dev/stdout', logger: { mode: 'standard' } },
          { name: 'stay', cmdline: 'sleep 1000' },
        ],
      }),
      role: 'nobody',
    };
    launch(task);
    await reported(task, 'RUNNING');
    kill(task);
    await reported(task, 'KILLED');
    expect(log(task, 'who')).toMatch(/^nobody\nno\w+\nnobody nobody\n$/);
    expect(log(task, 'who', 0, 'stderr')).toBe('err\n');
    expect(log(task, 'direct')).toBe('out\n');
    expect(statSync(sandbox(task)).uid).not.toBe(0);
    expect(processesOf(task)).toEqual([]);
  });

  it('gives two roles without users of their own two users, who see nothing of each other', async () => {
    const taskAccounts = { names: ['daemon', 'nobody'], roleUids: [20_000, 29_999] } as const;
    const { launch, kill, reported, log, sandbox } = await startAgent({
      runAsRole: true,
      workDir: openDir(),
      taskAccounts,
    });
    const of = (role: string, cmdline: string) => {
      return { ...launchOf({ processes: [{ name: 'a', cmdline }] }), role };
    };
    // The role called like a machine's account does not get that one.
    const first = of('nobody', 'id -un; echo private > secret; sleep 1000');
    launch(first);
    await expect.poll(() => existsSync(join(sandbox(first), 'secret')), { timeout: 25_000 }).toBe(true);
    const second = of('shop', `id -un; cat ${sandbox(first)}/secret && echo read`);
    launch(second);
    await reported(second, 'FAILED');
    expect([log(first, 'a'), log(second, 'a')]).toEqual(['daemon\n', 'nobody\n']);
    const third = of('nobody', `id -un; cat ${sandbox(first)}/secret`);
    launch(third);
    await reported(third, 'FINISHED');
    expect(log(third, 'a')).toBe('daemon\nprivate\n');
    kill(first);
    await reported(first, 'KILLED');
  });

  it('fails a task for which no user is left', async () => {
    const taskAccounts = { names: [], roleUids: [20_000, 29_999] } as const;
    const { launch, reported } = await startAgent({ runAsRole: true, taskAccounts });
    const task = { ...launchOf({ processes: [{ name: 'a', cmdline: 'true' }] }), role: 'nobody' };
    launch(task);
    expect((await reported(task, 'FAILED')).message).toMatch(
      /^Failed to initialize sandbox: .* no more accounts/,
    );
  });

  it('fails a task whose role has no user', async () => {
    const { launch, reported } = await startAgent({ runAsRole: true });
    const task = { ...launchOf({ processes: [{ name: 'a', cmdline: 'true' }] }), role: 'no-such-user' };
    launch(task);
    expect((await reported(task, 'FAILED')).message).toBe(
      'Failed to initialize sandbox: user no-such-user does not exist on this machine',
    );
  });
});
