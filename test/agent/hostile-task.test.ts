// A task that attacks its agent, both run as they are in production: the agent as root, tasks as users of their roles. On a
// machine where the tests are not root the documented other case is asserted: everything is one user.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { taskPaths } from '../../agent/runtime/layout.ts';
import type { TaskLaunch } from '../../shared/model/protocol.ts';
import {
  type AgentFixture,
  processesOf,
  readIfThere,
  startAgent,
  temporaryDir,
} from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

const isRoot = process.getuid?.() === 0;
/** Two users that every Linux has. */
const [mallory, alice] = ['nobody', 'daemon'] as const;
const uidOf = (user: string) => Number(execFileSync('id', ['-u', user]));

const patience = { timeout: 25_000 };

function openDir(): string {
  const dir = temporaryDir();
  chmodSync(dir, 0o755);
  return dir;
}

/** Runs one cmdline as a task of the role to its end and answers what it printed. */
async function runAs(agent: AgentFixture, role: string, cmdline: string, more: object = {}): Promise<string> {
  const task = { ...launchOf({ processes: [{ name: 'attack', cmdline, ...more }] }), role };
  agent.launch(task);
  await agent.reported(task, 'FINISHED');
  return agent.log(task, 'attack');
}

/** Waits for the end, whichever it is. */
async function ended({ transport }: AgentFixture, { taskId }: TaskLaunch): Promise<void> {
  const isOver = () =>
    transport.statusesOf(taskId).some(({ state }) => state !== 'STARTING' && state !== 'RUNNING');
  await expect.poll(isOver, patience).toBe(true);
}

describe('a hostile task', () => {
  it('gets nothing of the environment of agent and runner but PATH', async () => {
    process.env.AWS_SECRET_ACCESS_KEY_PROBE = 'very-secret';
    onTestFinished(() => void delete process.env.AWS_SECRET_ACCESS_KEY_PROBE);
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const said = await runAs(agent, mallory, 'env');
    const names = said.split('\n').map((line) => line.split('=', 1)[0] ?? '');
    const ours = ['HOME', 'LOGNAME', 'USER', 'PATH', 'BOREALIS_TASK_ID', 'BOREALIS_INSTANCE'];
    expect(names.filter((name) => name !== '' && !['PWD', 'SHLVL', '_'].includes(name)).sort()).toEqual(
      ours.sort(),
    );
    expect(said).not.toContain('very-secret');
  });

  it('reads neither the files nor the environment of agent and runner', async () => {
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const secrets = join(agent.workDir, 'agent.env');
    writeFileSync(secrets, 'AWS_SECRET_ACCESS_KEY=very-secret\n', { mode: 0o600 });
    const other = { ...launchOf({ processes: [{ name: 'a', cmdline: 'true' }] }), role: alice };
    agent.launch(other);
    await agent.reported(other, 'FINISHED');
    // What to try, and what shows that it worked.
    const attempts: readonly (readonly [string, string])[] = [
      [`cat ${secrets}`, 'very-secret'],
      [`tr '\\0' '\\n' < /proc/${process.pid}/environ`, 'PATH='],
      [`tr '\\0' '\\n' < /proc/\${RUNNER:-$PPID}/environ`, 'NODE_COMPILE_CACHE'],
      ['cat ../task.json', '"launchedAt"'],
      ['cat ../checkpoint.jsonl', '"STARTING"'],
      ['cat ../runner.json', '"pid"'],
      ['ls ..', 'runner.log'],
      ['ls ../..', other.taskId],
      ['cat ../../../finished.jsonl', other.taskId],
    ];
    // Not said as it is printed, for task.json is among what may be printed.
    const cmdline = attempts.map(([command]) => `${command}; echo '+'+`).join('; ');
    const task = {
      ...launchOf({ processes: [{ name: 'attack', cmdline: `${cmdline}; sleep 1000` }] }),
      role: mallory,
    };
    agent.launch(task);
    await expect.poll(() => agent.log(task, 'attack').split('++').length, patience).toBe(attempts.length + 1);
    const said = agent.log(task, 'attack').split('++\n');
    // The same as the agent's user shows that there was something to be seen.
    const { dir, sandbox, runner } = taskPaths(agent.workDir, task.taskId);
    expect(sandbox).toBe(join(dir, 'sandbox'));
    const { pid } = JSON.parse(readFileSync(runner, 'utf8')) as { pid: number };
    for (const [index, [command, mark]] of attempts.entries()) {
      const env = { ...process.env, RUNNER: String(pid) };
      const seen = execFileSync('/bin/bash', ['-c', command], { cwd: sandbox, env, encoding: 'utf8' });
      expect(seen, `${command} as the agent's user`).toContain(mark);
      // Not root: tasks are the agent's own user and can read whatever it can.
      if (isRoot) expect(said[index], command).toBe('');
      else expect(said[index], command).toContain(mark);
    }
    agent.kill(task);
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

  it("reads no log of another role's task from the agent's log server, nor that there is one", async () => {
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    const victim = { ...launchOf({ processes: [{ name: 'say', cmdline: 'echo private' }] }), role: alice };
    agent.launch(victim);
    await agent.reported(victim, 'FINISHED');
    const { port, origin } = new URL(agent.agent.observerUrl ?? '');
    const get = (path: string) =>
      `exec 3<>/dev/tcp/127.0.0.1/${port}; printf 'GET ${path} HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n' >&3; cat <&3`;
    const logOf = (taskId: string) => `/tasks/${taskId}/logs/say/stdout`;
    const said = await runAs(
      agent,
      mallory,
      `${get('/tasks')}; ${get(logOf(victim.taskId))}; ${get('/tasks/nothing')}; echo mine > own; echo end`,
    );
    expect(said).toMatch(/end\n$/);
    if (isRoot) {
      expect(said).not.toContain('private');
      expect(said).not.toContain(victim.taskId);
      expect(said.match(/HTTP\/1\.1 403/g)).toHaveLength(2);
    } else expect(said).toContain('private');
    // Its own it reads, and who may read everything still does.
    const own = { ...launchOf({ processes: [{ name: 'say', cmdline: 'echo mine' }] }), role: mallory };
    agent.launch(own);
    await agent.reported(own, 'FINISHED');
    expect(await runAs(agent, mallory, get(logOf(own.taskId)))).toMatch(/HTTP\/1\.1 200[\s\S]*mine/);
    for (const { taskId } of [victim, own])
      expect((await fetch(`${origin}${logOf(taskId)}`)).status).toBe(200);
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

  it.each([
    ['a link', 'ln -s', 0o644],
    // Linux only lets a user give a second name to what that user may write.
    ['a second name', 'ln', 0o666],
  ])(
    'cannot have a file overwritten by the count of what was rotated through %s of it',
    async (_what, ln, mode) => {
      const dir = openDir();
      const target = join(dir, 'precious');
      writeFileSync(target, 'precious');
      chmodSync(target, mode);
      const agent = await startAgent({ runAsRole: true, workDir: openDir() });
      const plant = `mkdir -p .logs2/second/0 && ${ln} ${target} .logs2/second/0/stdout.rotated && touch planted; mv .logs .old; mv .logs2 .logs`;
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
      await ended(agent, task);
      expect(existsSync(join(agent.sandbox(task), 'planted'))).toBe(true);
      expect(readFileSync(target, 'utf8')).toBe('precious');
    },
  );

  it.each([
    ['that nobody reads', ''],
    ['that it reads itself', '(exec 9<> .logs/second/0/stdout; sleep 1000) > /dev/null 2>&1 & sleep 0.5'],
  ])(
    'cannot stop its runner, nor take its output, with a FIFO %s in place of a log',
    async (_what, reader) => {
      const agent = await startAgent({ runAsRole: true, workDir: openDir() });
      const plant =
        'mkdir -p .logs2/second/0; mkfifo .logs2/second/0/stdout; mv .logs .old; mv .logs2 .logs;';
      const task = {
        ...launchOf({
          processes: [
            { name: 'first', cmdline: `${plant}${reader}` },
            { name: 'second', cmdline: 'true' },
          ],
          ordering: [['first', 'second']],
        }),
        role: mallory,
      };
      agent.launch(task);
      const { message } = await agent.reported(task, 'FAILED');
      expect(message).toBeDefined();
    },
  );

  it.runIf(isRoot)(
    "cannot have another role's task ended by wearing its mark and using its memory",
    async () => {
      const agent = await startAgent({
        runAsRole: true,
        workDir: openDir(),
        cgroup: false,
        timings: { memoryPollMs: 20 },
      });
      const small = { ramMb: 32, diskMb: 16, cpuMilli: 100 };
      const victim = {
        ...launchOf({ processes: [{ name: 'a', cmdline: 'sleep 1000' }], resources: small }),
        role: alice,
      };
      agent.launch(victim);
      await agent.reported(victim, 'RUNNING');
      const big = `x=$(head -c 70000000 /dev/zero | tr '\\0' x); echo big; sleep 4; echo end`;
      const said = await runAs(
        agent,
        mallory,
        `BOREALIS_TASK_ID='${victim.taskId}' bash -c '${big.replaceAll("'", `'"'"'`)}'`,
      );
      const states = agent.transport.statusesOf(victim.taskId).map(({ state }) => state);
      expect(states).toEqual(['STARTING', 'RUNNING']);
      expect(said).toBe('big\nend\n');
      expect(processesOf(victim)).toHaveLength(1);
      agent.kill(victim);
      await agent.reported(victim, 'KILLED');
    },
  );

  it('is ended with everything it started: what left its session, forgot its parents or cleared its environment', async () => {
    const agent = await startAgent({ runAsRole: true, workDir: openDir() });
    // Found by their durations, as one of them has no mark any more.
    const sleeps = [1, 2, 3, 4].map((index) => `1${process.pid}.${index}`);
    const [orphan, detached, bare, last] = sleeps;
    const cmdline = `(setsid sleep ${orphan} &) ; setsid -f nohup sleep ${detached}; env -i sleep ${bare} & trap "" TERM; sleep ${last}`;
    const task = { ...launchOf({ processes: [{ name: 'spawn', cmdline }] }), role: mallory };
    agent.launch(task);
    await agent.reported(task, 'RUNNING');
    await expect.poll(() => sleeps.filter(isAsleep), patience).toEqual(sleeps);
    agent.kill(task);
    await agent.reported(task, 'KILLED');
    expect(sleeps.filter(isAsleep)).toEqual([]);
    expect(processesOf(task)).toEqual([]);
  });
});

/** Is there a process `sleep <duration>`? */
function isAsleep(duration: string): boolean {
  return readdirSync('/proc').some(
    (name) => /^\d+$/.test(name) && readIfThere(`/proc/${name}/cmdline`) === `sleep\0${duration}\0`,
  );
}
