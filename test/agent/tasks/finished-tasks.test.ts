import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FinishedTasks } from '../../../agent/tasks/finished-tasks.ts';
import { temporaryDir } from '../fakes/agent-fixture.ts';

const endOf = (n: number, state: 'FINISHED' | 'FAILED' = 'FINISHED') => ({ taskId: `t${n}`, state, at: n });

describe('FinishedTasks', () => {
  it('remembers across restarts, past a torn line', () => {
    const dir = temporaryDir();
    new FinishedTasks(dir).add(endOf(1));
    appendFileSync(join(dir, 'finished.jsonl'), '{"taskId":"t2","sta');
    const again = new FinishedTasks(dir);
    expect(again.get('t1')).toEqual(endOf(1));
    again.add(endOf(3));
    expect(new FinishedTasks(dir).get('t3')).toEqual(endOf(3));
  });

  it('lets the first end stand', () => {
    const tasks = new FinishedTasks(temporaryDir());
    tasks.add(endOf(1, 'FAILED'));
    tasks.add(endOf(1));
    expect(tasks.get('t1')?.state).toBe('FAILED');
  });

  it('stays bounded in memory and on disk, keeping the newest', () => {
    const dir = temporaryDir();
    const tasks = new FinishedTasks(dir, 10);
    for (let i = 0; i < 100; i++) tasks.add(endOf(i));
    expect(tasks.get('t89')).toBeUndefined();
    expect(tasks.get('t90')).toEqual(endOf(90));
    const lines = readFileSync(join(dir, 'finished.jsonl'), 'utf8').trim().split('\n');
    expect(lines.length).toBeLessThanOrEqual(21);
    expect(new FinishedTasks(dir, 10).get('t99')).toEqual(endOf(99));
  });
});
