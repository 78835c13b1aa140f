// The rules of processes within a task, with real processes (spec/executor.md sections 3 and 4).
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readIfThere, startAgent, startsOf } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

describe('processes of a task', () => {
  it('retries a process up to its max_failures and keeps the log of every run', async () => {
    const { launch, reported, log } = await startAgent();
    const task = launchOf({
      processes: [
        {
          name: 'flaky',
          maxFailures: 3,
          cmdline: 'echo run >> runs; wc -l < runs; test $(wc -l < runs) -ge 3',
        },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect([0, 1, 2].map((run) => log(task, 'flaky', run))).toEqual(['1\n', '2\n', '3\n']);
  });

  it('fails the task when as many processes failed for good as it tolerates, and ends the others', async () => {
    const { launch, reported, workDir } = await startAgent();
    const task = launchOf({
      maxFailures: 2,
      processes: [
        { name: 'server', cmdline: 'sleep 1000' },
        { name: 'one', cmdline: 'exit 3' },
        { name: 'two', cmdline: 'sleep 0.3; exit 4', maxFailures: 2 },
      ],
    });
    launch(task);
    expect((await reported(task, 'FAILED')).message).toBe('Task failed.');
    expect(startsOf(workDir, task).filter((name) => name === 'two')).toHaveLength(2);
  });

  it('finishes within the tolerance of failures', async () => {
    const { launch, reported } = await startAgent();
    const task = launchOf({
      maxFailures: 2,
      processes: [
        { name: 'bad', cmdline: 'exit 1' },
        { name: 'good', cmdline: 'true' },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
  });

  it('fails a task that is deadlocked behind a failed process', async () => {
    const { launch, reported, workDir } = await startAgent();
    const task = launchOf({
      maxFailures: 0,
      processes: [
        { name: 'bad', cmdline: 'exit 1' },
        { name: 'never', cmdline: 'true' },
      ],
      ordering: [['bad', 'never']],
    });
    launch(task);
    await reported(task, 'FAILED');
    expect(startsOf(workDir, task)).toEqual(['bad']);
  });

  it('runs a daemon again after a success, and ends an ephemeral helper with the task', async () => {
    const { launch, reported, sandbox } = await startAgent();
    const task = launchOf({
      processes: [
        { name: 'tick', daemon: true, ephemeral: true, cmdline: 'echo tick >> ticks; sleep 0.05' },
        {
          name: 'helper',
          ephemeral: true,
          cmdline: 'trap "echo bye > helper-ended; exit" TERM; sleep 1000 & wait',
        },
        { name: 'main', cmdline: 'until [ $(cat ticks | wc -l) -ge 3 ] 2>/dev/null; do sleep 0.05; done' },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(readIfThere(join(sandbox(task), 'helper-ended'))).toBe('bye\n');
  });

  it('runs final processes at the end, whatever the result, and their failure changes nothing', async () => {
    const { launch, reported, sandbox } = await startAgent();
    for (const [cmdline, state] of [
      ['true', 'FINISHED'],
      ['exit 1', 'FAILED'],
    ] as const) {
      const task = launchOf({
        processes: [
          { name: 'main', cmdline: `echo main >> order; ${cmdline}` },
          { name: 'report', final: true, cmdline: 'echo final >> order; exit 9' },
        ],
      });
      launch(task);
      await reported(task, state);
      expect(readIfThere(join(sandbox(task), 'order'))).toBe('main\nfinal\n');
    }
  });

  it('bounds final processes by the finalization wait', async () => {
    const { launch, reported, sandbox } = await startAgent();
    const task = launchOf({
      finalizationWaitSecs: 1,
      processes: [
        { name: 'main', cmdline: 'true' },
        { name: 'slow', final: true, cmdline: 'touch began; sleep 1000' },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(existsSync(join(sandbox(task), 'began'))).toBe(true);
  });

  it('leaves min_duration between two runs', async () => {
    const { launch, reported, log } = await startAgent();
    const task = launchOf({
      processes: [
        {
          name: 'a',
          maxFailures: 2,
          minDurationSecs: 1,
          cmdline: 'date +%s%3N; test -e again || { touch again; exit 1; }',
        },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
    const [first, second] = [0, 1].map((run) => Number(log(task, 'a', run)));
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1000);
  });

  it('runs at most max_concurrency processes at once', async () => {
    const { launch, reported, log } = await startAgent();
    const cmdline = 'mkdir lock && echo alone; sleep 0.1; rmdir lock';
    const task = launchOf({
      maxConcurrency: 1,
      processes: ['a', 'b', 'c'].map((name) => ({ name, cmdline })),
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(['a', 'b', 'c'].map((name) => log(task, name))).toEqual(['alone\n', 'alone\n', 'alone\n']);
  });

  it('counts a process ended by a signal as lost, not failed', async () => {
    const { launch, reported, workDir } = await startAgent();
    const task = launchOf({
      processes: [{ name: 'a', cmdline: 'test -e again && exit 0; touch again; kill -KILL $$' }],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(startsOf(workDir, task)).toEqual(['a', 'a']);
  });

  it('sources .thermos_profile in every process once it is there', async () => {
    const { launch, reported, log } = await startAgent();
    const task = launchOf({
      processes: [
        { name: 'setup', cmdline: 'echo "export GREETING=hi" > .thermos_profile' },
        { name: 'use', cmdline: 'echo "[$GREETING]"' },
      ],
      ordering: [['setup', 'use']],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(log(task, 'use')).toBe('[hi]\n');
  });

  it('sends output where the logger says', async () => {
    const { launch, reported, log, workDir } = await startAgent();
    const cmdline = 'echo $0-out; echo err >&2';
    const task = launchOf({
      processes: [
        { name: 'direct', cmdline: 'echo direct', logger: { mode: 'standard' } },
        { name: 'both', cmdline: 'echo both', logger: { destination: 'both' } },
        { name: 'console', cmdline: 'echo console', logger: { destination: 'console' } },
        { name: 'none', cmdline, logger: { destination: 'none' } },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
    expect(['direct', 'both', 'console', 'none'].map((name) => log(task, name))).toEqual([
      'direct\n',
      'both\n',
      '',
      '',
    ]);
    const runnerLog = readIfThere(join(workDir, 'tasks', task.taskId, 'runner.log'));
    expect(runnerLog).toContain('both\n');
    expect(runnerLog).toContain('console\n');
  });

  it('rotates logs by size and keeps the newest output', async () => {
    const { launch, reported, log } = await startAgent();
    const task = launchOf({
      processes: [
        {
          name: 'chatty',
          cmdline: 'for i in 1 2 3 4; do head -c 700000 /dev/zero | tr "\\0" $i; done; echo end',
          logger: { mode: 'rotate', rotateSizeMb: 1, rotateBackups: 1 },
        },
      ],
    });
    launch(task);
    await reported(task, 'FINISHED');
    const [current, backup] = [log(task, 'chatty'), log(task, 'chatty', 0, 'stdout.1')];
    expect(current.endsWith('end\n')).toBe(true);
    expect(backup.length).toBeGreaterThanOrEqual(1024 * 1024);
    expect(log(task, 'chatty', 0, 'stdout.2')).toBe('');
    expect((backup + current).length).toBeLessThan(2_800_004);
  });

  it('fails a task whose log folder was bent out of the sandbox, and writes nothing there', async () => {
    const { launch, reported, workDir } = await startAgent();
    const outside = join(workDir, 'outside');
    const task = launchOf({
      processes: [
        { name: 'bend', cmdline: `mkdir ${outside} && ln -s ${outside} .logs/victim` },
        { name: 'victim', cmdline: 'echo leak' },
      ],
      ordering: [['bend', 'victim']],
    });
    launch(task);
    await reported(task, 'FAILED');
    expect(readdirSync(outside)).toEqual([]);
  });
});
