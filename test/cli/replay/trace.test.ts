import { describe, expect, it } from 'vitest';
import { tasksPerJob, traceJobs } from '../../../cli/replay/submissions.ts';
import { ticks } from '../../../cli/replay/timed.ts';
import { parseNodes, parseTasks } from '../../../cli/replay/trace.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import { offerSchema } from '../../../shared/model/agent.ts';
import { jobSubmissionSchema } from '../../../shared/model/job.ts';

const nodeHeader = 'sn,cpu_milli,memory_mib,gpu,model';
const taskHeader =
  'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time';
const task = 'openb-pod-0001,6000,12288,1,460,V100M16|V100M32,LS,Running,10,20,10';

function nodes(...rows: string[]) {
  return parseNodes('n.csv', [nodeHeader, ...rows].join('\n'));
}
function tasks(...rows: string[]) {
  return parseTasks('t.csv', [taskHeader, ...rows].join('\n'));
}
function refusal(act: () => unknown): BorealisError {
  try {
    act();
  } catch (error) {
    if (error instanceof BorealisError) return error;
  }
  throw new Error('nothing was refused');
}

describe('the node list', () => {
  it('becomes machines with one model per card', () => {
    expect(nodes('node-1,32000,262144,0,', 'node-2,96000,393216,2,T4', '')).toEqual([
      { name: 'node-1', cpuMilli: 32_000, ramMb: 262_144, gpus: [] },
      { name: 'node-2', cpuMilli: 96_000, ramMb: 393_216, gpus: ['T4', 'T4'] },
    ]);
    expect(offerSchema.shape.agentId.safeParse('openb-node-0000').success).toBe(true);
  });

  it.each([
    ['node-1,32000,262144', 'n.csv:2', '3 fields where the header has 5'],
    ['node-1,-1,262144,0,', 'n.csv:2', 'cpu_milli is "-1"'],
    ['node-1,3e4,262144,0,', 'n.csv:2', 'cpu_milli is "3e4"'],
    ['node-1,32000,262144,2,', 'n.csv:2', 'no model'],
    ['no de,32000,262144,0,', 'n.csv:2', 'cannot be an agent'],
    ['node-1,1,1,0,\nnode-1,1,1,0,', 'n.csv:3', 'listed twice'],
  ])('with the row %j is refused at %s', (row, place, words) => {
    const error = refusal(() => nodes(row));
    expect(error.exitCode).toBe(3);
    expect(error.message).toContain(place);
    expect(error.message).toContain(words);
  });

  it('without a column or without rows is refused', () => {
    expect(refusal(() => parseNodes('n.csv', 'sn,cpu_milli\na,1')).message).toContain(
      'no column memory_mib, gpu',
    );
    expect(refusal(() => parseNodes('n.csv', nodeHeader)).message).toContain('no rows');
  });
});

describe('the task list', () => {
  it('becomes resources: shares of one card, models to choose from, life times', () => {
    expect(tasks(task)).toEqual([
      {
        name: 'openb-pod-0001',
        resources: {
          cpuMilli: 6000,
          ramMb: 12_288,
          diskMb: 0,
          gpus: 1,
          gpuMilli: 460,
          gpuModels: ['V100M16', 'V100M32'],
          ports: [],
        },
        createdAtSecs: 10,
        deletedAtSecs: 20,
      },
    ]);
  });

  it('takes whole cards, no cards, no memory, no end and Windows line ends', () => {
    const [whole, none] = parseTasks(
      't.csv',
      `${taskHeader}\r\na,1000,0,8,1000,,LS,Running,1,,1\r\nb,1000,1,0,0,,BE,Pending,1,2,\r\n`,
    );
    expect(whole).toMatchObject({ resources: { gpus: 8, gpuMilli: 1000, ramMb: 1, gpuModels: [] } });
    expect(whole).not.toHaveProperty('deletedAtSecs');
    expect(none).toMatchObject({ resources: { gpus: 0, gpuMilli: 0 } });
  });

  it.each([
    [task.replace(',460,', ',0,'), 'gpu_milli is 0'],
    [task.replace(',1,460,', ',2,460,'), 'gpu_milli is 460 for a task with 2'],
    [task.replace(',460,', ',1460,'), 'gpu_milli is "1460"'],
    [task.replace(',10,20,', ',20,10,'), 'before creation_time'],
    [task.replace('6000', ''), 'cpu_milli is ""'],
  ])('with the row %j is refused with its line', (row, words) => {
    const error = refusal(() => tasks(task, row));
    expect(error.message).toContain('t.csv:3');
    expect(error.message).toContain(words);
  });
});

describe('a trace as jobs', () => {
  const many = Array.from({ length: tasksPerJob + 5 }, (_, i) =>
    task.replace('460', i % 2 === 0 ? '460' : '500').replace('0001', String(i)),
  );

  it('has a thousand tasks to a job, in file order, equal shapes sharing a config', () => {
    const list = tasks(...many);
    const jobs = traceJobs(list);
    expect(jobs.map((job) => job.tasks.length)).toEqual([tasksPerJob, 5]);
    for (const { submission, tasks: own } of jobs) {
      expect(jobSubmissionSchema.safeParse(submission).success).toBe(true);
      expect(submission.configs).toHaveLength(2);
      for (const { instances, task: config } of submission.configs) {
        for (const [low, high] of instances) {
          for (let i = low; i <= high; i++) expect(own[i]?.resources).toEqual(config.resources);
        }
      }
    }
    expect(jobs.flatMap((job) => job.tasks)).toEqual(list);
  });

  it('joins neighbours of one shape into one range', () => {
    const [job] = traceJobs(tasks(task, task, task));
    expect(job?.submission.configs.map(({ instances }) => instances)).toEqual([[[0, 2]]]);
  });

  it('follows its own times, compressed, when asked', () => {
    const list = tasks(
      task.replace(',10,20,', ',1000,2000,'),
      task.replace(',10,20,', ',0,2000,'),
      task.replace(',10,20,', ',1001,2000,'),
    );
    expect(ticks(list, 1).map(({ dueMs, tasks: due }) => [dueMs, due.length])).toEqual([
      [0, 1],
      [1_000_000, 1],
      [1_001_000, 1],
    ]);
    expect(ticks(list, 100).map(({ dueMs, tasks: due }) => [dueMs, due.length])).toEqual([
      [0, 1],
      [10_000, 2],
    ]);
  });
});
