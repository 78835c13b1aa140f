// A task that attacks its agent, both run as they are in production: the agent as root, tasks as users of their roles. On a
// machine where the tests are not root the documented other case is asserted: everything is one user.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { taskPaths } from '../../agent/runtime/layout.ts';
import { processesOf, startAgent, temporaryDir } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

const isRoot = process.getuid?.() === 0;
/** Two users that every Linux has. */
const [mallory, alice] = ['nobody', 'daemon'] as const;
const uidOf = (user: string) => Number(execFileSync('id', ['-u', user]));

function openDir(): string {
  const dir = temporaryDir();
  chmodSync(dir, 0o755);
  return dir;
}

/** Runs one cmdline as a task of the role to its end and answers what it printed. */
async function runAs(
  agent: Awaited<ReturnType<typeof startAgent>>,
  role: string,
  cmdline: string,
  more: object = {},
): Promise<string> {
  const task = { ...launchOf({ processes: [{ name: 'attack', cmdline, ...more }] }), role };
  agent.launch(task);
  await agent.reported(task, 'FINISHED');
  return agent.log(task, 'attack');
}

describe('a hostile task', () => {
  it('reads neither the files nor the environment of agent and runner', async () => {
    process.env.AWS_SECRET_ACCESS_KEY_PROBE = 'very-secret';
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const secrets = join(agent.workDir, 'agent.env');
    writeFileSync(secrets, 'AWS_SECRET_ACCESS_KEY=very-secret\n', { mode: 0o600 });
    const said = await runAs(
      agent,
      mallory,
      `env; cat ${secrets} /proc/${process.pid}/environ; tr '\\0' '\\n' < /proc/$PPID/environ; cat ../task.json ../checkpoint.jsonl; ls ..; echo end`,
    );
    delete process.env.AWS_SECRET_ACCESS_KEY_PROBE;
    expect(said).toMatch(/end\n$/);
    expect(said).not.toContain('AWS_');
    if (isRoot) {
      expect(said).not.toContain('very-secret');
      expect(said).not.toContain('NODE_COMPILE_CACHE');
      expect(said).not.toContain('"launchedAt"');
    } else {
      // Not root: tasks are the agent's own user and can read whatever it can.
      expect(said).toContain('very-secret');
    }
  });

  it("cannot enter another role's sandbox", async () => {
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const victim = {
      ...launchOf({ processes: [{ name: 'keep', cmdline: 'echo private > secret; sleep 1000' }] }),
      role: alice,
    };
    agent.launch(victim);
    await agent.reported(victim, 'RUNNING');
    const { sandbox } = taskPaths(agent.workDir, victim.taskId);
    await expect.poll(() => existsSync(join(sandbox, 'secret'))).toBe(true);
    const pid = processesOf(victim)[0];
    const said = await runAs(
      agent,
      mallory,
      `cat ${sandbox}/secret /proc/${pid}/cwd/secret; ls ${sandbox}; kill -9 ${pid} && echo killed; echo end`,
    );
    expect(said).toMatch(/end\n$/);
    if (isRoot) {
      expect(said).toBe('end\n');
      expect(statSync(sandbox)).toMatchObject({ uid: uidOf(alice) });
      expect(statSync(sandbox).mode & 0o777).toBe(0o700);
    } else expect(said).toContain('private');
    agent.kill(victim);
  });

  const mib = `head -c 1200000 /dev/zero | tr '\\0' x`;
  const rotating = { logger: { mode: 'rotate', rotateSizeMb: 1, rotateBackups: 1 } } as const;

  it('cannot lead a rotated log out of its sandbox by putting links in its way', async () => {
    const outside = openDir();
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const said = await runAs(
      agent,
      mallory,
      // The directory of the logs is the agent's, but it lies in one that is the task's own.
      `mv .logs .old; mkdir -p .logs/attack; ln -s ${outside} .logs/attack/0; ${mib}; sleep 1; echo end`,
      rotating,
    );
    expect(said).not.toContain('end');
    expect(execFileSync('ls', ['-A', outside], { encoding: 'utf8' })).toBe('');
  });

  it('cannot have a file of others overwritten by the count of what was rotated', async () => {
    const dir = openDir();
    const target = join(dir, 'precious');
    writeFileSync(target, 'precious', { mode: 0o644 });
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const plant = `mkdir -p .logs2/second/0; ln -s ${target} .logs2/second/0/stdout.rotated; mv .logs .old; mv .logs2 .logs`;
    const task = {
      ...launchOf({
        processes: [
          { name: 'first', cmdline: plant },
          { name: 'second', cmdline: `${mib}; sleep 1`, ...rotating },
        ],
        ordering: [['first', 'second']],
      }),
      role: mallory,
    };
    agent.launch(task);
    await agent.reported(task, 'FINISHED').catch(() => undefined);
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  it('cannot stop its runner with a FIFO in place of a log', async () => {
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const plant = 'mkdir -p .logs2/second/0; mkfifo .logs2/second/0/stdout; mv .logs .old; mv .logs2 .logs';
    const task = {
      ...launchOf({
        processes: [
          { name: 'first', cmdline: plant },
          { name: 'second', cmdline: 'true' },
        ],
        ordering: [['first', 'second']],
      }),
      role: mallory,
    };
    agent.launch(task);
    const { message } = await agent.reported(task, 'FAILED');
    expect(message).toBeDefined();
  });

  it('is ended with everything it started, also what left its session and forgot its parents', async () => {
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const task = {
      ...launchOf({
        processes: [
          {
            name: 'spawn',
            cmdline: '(setsid sleep 1111 &) ; setsid -f nohup sleep 1112; trap "" TERM; sleep 1113',
          },
        ],
      }),
      role: mallory,
    };
    agent.launch(task);
    await agent.reported(task, 'RUNNING');
    await expect.poll(() => processesOf(task).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
    agent.kill(task);
    await agent.reported(task, 'KILLED');
    expect(processesOf(task)).toEqual([]);
  });
});
