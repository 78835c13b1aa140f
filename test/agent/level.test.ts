// The agent against the level: what it should run, fetched again and again (design D9).
import { describe, expect, it } from 'vitest';
import type { DesiredTasks, TaskLaunch } from '../../shared/model/protocol.ts';
import { processesOf, startAgent, startsOf, waitFor } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

const often = { timings: { reconcileMs: 50 } };

function levelOf(...tasks: [TaskLaunch, boolean][]): DesiredTasks {
  return {
    agentId: 'agent-1',
    asOf: Date.now(),
    tasks: tasks.map(([launch, run]) => ({ state: run ? 'ASSIGNED' : 'KILLING', run, launch })),
  };
}

/** Waits until the level was fetched so many times more. */
async function fetched(transport: { levelRequests: number }, times: number): Promise<void> {
  const until = transport.levelRequests + times;
  await waitFor(() => expect(transport.levelRequests).toBeGreaterThanOrEqual(until));
}

const sleeper = { processes: [{ name: 'a', cmdline: 'sleep 1000' }] };

describe('an agent and its level', () => {
  it('starts a task whose launch message was lost', async () => {
    const { transport, reported } = await startAgent(often);
    const task = launchOf(sleeper);
    transport.level = () => levelOf([task, true]);
    await reported(task, 'RUNNING');
  });

  it('starts a task once, however often it is told to', async () => {
    const { transport, reported, launch, workDir } = await startAgent(often);
    const task = launchOf(sleeper);
    transport.level = () => levelOf([task, true]);
    launch(task);
    launch(task);
    await reported(task, 'RUNNING');
    launch(task);
    await fetched(transport, 3);
    await waitFor(() => expect(transport.acknowledged).toHaveLength(3));
    expect(startsOf(workDir, task)).toEqual(['a']);
    // The level stays behind, so the agent tells again and again how far it is; but it never starts over.
    const states = transport.statusesOf(task.taskId).map(({ state }) => state);
    expect(states.slice(states.indexOf('RUNNING')).every((state) => state === 'RUNNING')).toBe(true);
  });

  it('ends a task whose kill message was lost', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const task = launchOf(sleeper);
    launch(task);
    await reported(task, 'RUNNING');
    transport.level = () => levelOf([task, false]);
    await reported(task, 'KILLED');
  });

  it('ends a task that is not its own any more', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const task = launchOf(sleeper);
    launch(task);
    await reported(task, 'RUNNING');
    transport.level = () => levelOf();
    await reported(task, 'KILLED');
    expect(processesOf(task)).toEqual([]);
  });

  it.each([
    ['ahead of', -3_600_000],
    ['behind', 3_600_000],
  ])("ends such a task also while its clock is an hour %s the server's", async (_how, serverMs) => {
    const { transport, reported, launch } = await startAgent(often);
    const task = launchOf(sleeper);
    launch(task);
    await reported(task, 'RUNNING');
    transport.level = () => ({ ...levelOf(), asOf: Date.now() + serverMs });
    await reported(task, 'KILLED');
  });

  it('is not moved by answers that are older than the task', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const asOf = Date.now() - 1;
    transport.level = () => ({ ...levelOf(), asOf });
    await fetched(transport, 1);
    const task = launchOf(sleeper);
    launch(task);
    await reported(task, 'RUNNING');
    await fetched(transport, 6);
    expect(processesOf(task).length).toBeGreaterThan(0);
  });

  it('ends nothing while the control plane is away, and reports what it missed afterwards', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const [service, batch] = [
      launchOf(sleeper),
      launchOf({ processes: [{ name: 'b', cmdline: 'sleep 0.5' }] }),
    ];
    launch(service);
    launch(batch);
    await reported(service, 'RUNNING');
    await reported(batch, 'RUNNING');
    transport.isDown = true;
    await waitFor(() => expect(processesOf(batch)).toEqual([]));
    expect(processesOf(service).length).toBeGreaterThan(0);
    transport.isDown = false;
    await reported(batch, 'FINISHED');
    expect(transport.statusesOf(service.taskId).map((status) => status.state)).not.toContain('KILLED');
  });

  it('registers again when it is unknown, and keeps its tasks', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const task = launchOf(sleeper);
    launch(task);
    await reported(task, 'RUNNING');
    // `level` is unset: every fetch answers that the agent is unknown.
    await waitFor(() =>
      expect(transport.reports.filter((report) => report.kind === 'register').length).toBeGreaterThan(2),
    );
    expect(processesOf(task).length).toBeGreaterThan(0);
  });

  it('reports an end again that the control plane has not heard of', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'true' }] });
    launch(task);
    await reported(task, 'FINISHED');
    transport.level = () => levelOf([task, true]);
    await waitFor(() =>
      expect(
        transport.statusesOf(task.taskId).filter((status) => status.state === 'FINISHED').length,
      ).toBeGreaterThan(1),
    );
  });

  it('answers for a task it never had', async () => {
    const { transport, reported } = await startAgent(often);
    const task = launchOf(sleeper);
    transport.level = () => levelOf([task, false]);
    await reported(task, 'KILLED');
  });

  it('reports again how far its tasks are when the control plane took it for lost', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const task = launchOf(sleeper);
    launch(task);
    await reported(task, 'RUNNING');
    transport.level = () => ({
      ...levelOf([task, true]),
      tasks: [{ state: 'PARTITIONED', run: true, launch: task }],
    });
    const told = () => transport.statusesOf(task.taskId).filter(({ state }) => state === 'RUNNING').length;
    await waitFor(() => expect(told()).toBeGreaterThan(1));
  });

  it('reports what it should be running and knows nothing of as lost, and does not start it', async () => {
    const { transport, reported, workDir } = await startAgent(often);
    const task = launchOf(sleeper);
    transport.level = () => ({
      ...levelOf([task, true]),
      tasks: [{ state: 'RUNNING', run: true, launch: task }],
    });
    await reported(task, 'LOST');
    expect(startsOf(workDir, task)).toEqual([]);
  });

  it('tells of a task that the level misses, before it ends it by itself', async () => {
    const { transport, reported, launch } = await startAgent({ timings: { reconcileMs: 400 } });
    const task = launchOf(sleeper);
    launch(task);
    await reported(task, 'RUNNING');
    transport.level = () => levelOf();
    await reported(task, 'KILLED');
    expect(transport.statusesOf(task.taskId).map(({ state }) => state)).toEqual([
      'STARTING',
      'RUNNING',
      'RUNNING',
      'KILLED',
    ]);
  });

  it('ends its tasks and takes no more commands once another machine has its id', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const [task, late] = [launchOf(sleeper), launchOf(sleeper)];
    transport.level = () => levelOf([task, true]);
    launch(task);
    await reported(task, 'RUNNING');
    transport.isSuperseded = true;
    await reported(task, 'KILLED');
    const acknowledged = transport.acknowledged.length;
    launch(late);
    await fetched(transport, 3);
    // One receive was under way when it gave way; what came with that is ended again.
    await waitFor(() => expect(processesOf(late)).toEqual([]));
    expect(transport.acknowledged.length - acknowledged).toBeLessThanOrEqual(1);
  });

  it('starts what it can of a level in which a config is missing, and ends nothing for that', async () => {
    const { transport, reported, launch } = await startAgent(often);
    const [one, two] = [launchOf(sleeper), launchOf(sleeper)];
    launch(one);
    await reported(one, 'RUNNING');
    transport.level = () => ({ ...levelOf([two, true]), others: [one.taskId] });
    await reported(two, 'RUNNING');
    await fetched(transport, 6);
    expect(processesOf(one).length).toBeGreaterThan(0);
  });

  it('fetches the level at once when it is told to', async () => {
    const { transport } = await startAgent({ timings: { reconcileMs: 600_000 } });
    transport.level = () => levelOf();
    await waitFor(() => expect(transport.levelRequests).toBe(1));
    transport.command({ v: 1, kind: 'reconcile' });
    await waitFor(() => expect(transport.levelRequests).toBe(2));
  });

  it('fetches the level rarely while it has no tasks', async () => {
    const { transport, reported, launch } = await startAgent({ timings: { reconcileMs: 20 } });
    transport.level = () => levelOf();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const idle = transport.levelRequests;
    expect(idle).toBeLessThanOrEqual(2);
    const task = launchOf(sleeper);
    transport.level = () => levelOf([task, true]);
    launch(task);
    await reported(task, 'RUNNING');
    await fetched(transport, 5);
  });

  it('sends heartbeats that say how many tasks it has', async () => {
    const { transport, launch } = await startAgent({ timings: { heartbeatMs: 20 } });
    launch(launchOf(sleeper));
    const tasks = () =>
      transport.reports.flatMap((report) => (report.kind === 'heartbeat' ? report.tasks : []));
    await waitFor(() => expect(tasks().at(-1)).toBe(1));
    await waitFor(() =>
      expect(transport.reports.filter((report) => report.kind === 'heartbeat').length).toBeGreaterThan(3),
    );
  });

  it('removes the files of ended tasks after their retention, but not before their end is accepted', async () => {
    const { transport, reported, launch, log } = await startAgent({
      ...often,
      sandboxRetentionMs: 1,
      timings: { sandboxGcMs: 20 },
    });
    const task = launchOf({ processes: [{ name: 'a', cmdline: 'echo out; sleep 0.5' }] });
    launch(task);
    await reported(task, 'RUNNING');
    transport.isDown = true;
    await waitFor(() => expect(processesOf(task)).toEqual([]));
    await waitFor(() => expect(log(task, 'a')).toBe('out\n'));
    transport.isDown = false;
    await reported(task, 'FINISHED');
    await waitFor(() => expect(log(task, 'a')).toBe(''));
  });
});
