import { describe, expect, it } from 'vitest';
import { takeAll } from '../../shared/domain/placement/ledger.ts';
import type { Ledger } from '../../shared/model/agent.ts';
import { liveId } from '../../shared/model/job-key.ts';
import type { Grant } from '../../shared/model/resources.ts';
import type { Task } from '../../shared/model/task.ts';
import type { AgentWithLedger, AssignInput, AssignOutcome, Release, Store } from '../../shared/store/port.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeOffer, makeTask, makeTasks, noGrant, pendingRowOf, step, t0, unique } from './fixtures.ts';
import { indexesOf } from './rows.ts';

export interface Placement {
  readonly task: Task;
  readonly grant: Grant;
}

/** The assignment of these tasks to an agent as it was read. */
export function assignment({ ledger }: AgentWithLedger, placements: readonly Placement[]): AssignInput {
  const holdings = placements.map(({ task, grant }) => ({
    taskId: task.taskId,
    resources: task.resources,
    grant,
  }));
  return {
    agentId: ledger.agentId,
    ledgerVersion: ledger.version,
    after: { ...takeAll(ledger, holdings), version: ledger.version + 1 },
    tasks: placements.map(({ task, grant }) => ({ row: pendingRowOf(task), grant })),
    now: t0 + 1_000,
    deadlineAt: t0 + 300_000,
  };
}

/** One agent alone in its transaction. */
export async function assignOne(store: Pick<Store, 'assign'>, input: AssignInput): Promise<AssignOutcome> {
  const [outcome] = await store.assign([input]);
  if (outcome === undefined) throw new Error('an assignment came back without an outcome');
  return outcome;
}

export function releaseOf({ task, grant }: Placement): Release {
  return { taskId: task.taskId, resources: task.resources, grant };
}

/** A new agent. */
export async function newAgent(store: Store): Promise<AgentWithLedger> {
  const offer = makeOffer();
  await store.registerAgent(offer, 'session-1', t0);
  return readAgent(store, offer.agentId);
}

export async function readAgent(store: Store, agentId: string): Promise<AgentWithLedger> {
  const agent = await store.getAgent(agentId);
  if (agent === undefined) throw new Error(`no agent ${agentId}`);
  return agent;
}

/** PENDING tasks of a new job, stored, each with a port. */
export async function newPlacements(store: Store, count: number): Promise<Placement[]> {
  const tasks = makeTasks(count, { name: unique('job') });
  await store.insertTasks(tasks);
  return tasks.map((task, index) => ({ task, grant: { gpus: [], ports: { http: 31_000 + index } } }));
}

function assigned({ task, grant }: Placement, agentId: string): Task {
  return step(task, 'ASSIGNED', { agentId, grant, deadlineAt: t0 + 300_000 });
}

/** Assignment and release: a ledger and its tasks move together. */
export function assignContract(subject: () => StoreUnderTest): void {
  describe('assign', () => {
    it('gives tasks to an agent and takes their resources', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const placements = await newPlacements(store, 3);
      const input = assignment(agent, placements);
      expect(await assignOne(store, input)).toEqual({ kind: 'committed' });
      const { ledger } = await readAgent(store, input.agentId);
      const live = placements.map(({ task }) => liveId(task.taskId)).sort();
      expect(ledger).toEqual({ ...input.after, live });
      expect(ledger.freeCpuMilli).toBe(7_700);
      for (const placement of placements) {
        expect(await store.getTask(placement.task.taskId)).toEqual(assigned(placement, input.agentId));
      }
      const onAgent = await store.listOnAgent(input.agentId);
      expect(onAgent.map(({ instance }) => instance).sort((a, b) => a - b)).toEqual([0, 1, 2]);
      expect(await indexesOf(subject(), (placements[0] as Placement).task)).toEqual(['due', 'onagent']);
    });

    it('takes 99 tasks in one go and no more', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const tasks = makeTasks(100, { name: unique('job') }).map((task): Placement => {
        return {
          task: { ...task, resources: { ...task.resources, cpuMilli: 1, ramMb: 1, diskMb: 0, ports: [] } },
          grant: noGrant,
        };
      });
      await store.insertTasks(tasks.map(({ task }) => task));
      await expect(assignOne(store, assignment(agent, tasks))).rejects.toMatchObject({ code: 'INTERNAL' });
      expect(await assignOne(store, assignment(agent, tasks.slice(0, 99)))).toEqual({ kind: 'committed' });
      expect(await store.listOnAgent(agent.ledger.agentId)).toHaveLength(99);
    });

    it('writes nothing when the ledger has moved on', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const [first, second] = (await newPlacements(store, 2)) as [Placement, Placement];
      await assignOne(store, assignment(agent, [first]));
      expect(await assignOne(store, assignment(agent, [second]))).toEqual({ kind: 'ledgerConflict' });
      expect(await store.getTask(second.task.taskId)).toEqual(second.task);
      const nobody = { ...agent, ledger: { ...agent.ledger, agentId: unique('nobody') } };
      expect(await assignOne(store, assignment(nobody, [second]))).toEqual({ kind: 'ledgerConflict' });
    });

    it('names the tasks that no longer wait and writes nothing', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const placements = await newPlacements(store, 4);
      const [gone, kept, killed] = placements as [Placement, Placement, Placement, Placement];
      await store.transition({ task: gone.task });
      await store.transition({ task: killed.task, next: step(killed.task, 'KILLED') });
      const outcome = await assignOne(store, assignment(agent, placements));
      expect(outcome).toEqual({ kind: 'taskConflict', taskIds: [gone.task.taskId, killed.task.taskId] });
      expect(await store.getTask(kept.task.taskId)).toEqual(kept.task);
      expect(await readAgent(store, agent.ledger.agentId)).toEqual(agent);
    });

    it('gives several agents their tasks in one transaction', async () => {
      const store = subject().store();
      const agents = [await newAgent(store), await newAgent(store)] as const;
      const placements = await newPlacements(store, 5);
      const inputs = [
        assignment(agents[0], placements.slice(0, 2)),
        assignment(agents[1], placements.slice(2)),
      ];
      expect(await store.assign(inputs)).toEqual([{ kind: 'committed' }, { kind: 'committed' }]);
      const held = await Promise.all(agents.map(({ ledger }) => store.listOnAgent(ledger.agentId)));
      expect(held.map((tasks) => tasks.length)).toEqual([2, 3]);
    });

    it('writes nothing for any agent when one is refused, and says against which ones nothing stands', async () => {
      const store = subject().store();
      const agents = await Promise.all(Array.from({ length: 4 }, () => newAgent(store)));
      const [moved, free, alsoFree, unlucky] = agents as [
        AgentWithLedger,
        AgentWithLedger,
        AgentWithLedger,
        AgentWithLedger,
      ];
      const placements = await newPlacements(store, 6);
      const [first, second, third, fourth, gone, other] = placements as [
        Placement,
        Placement,
        Placement,
        Placement,
        Placement,
        Placement,
      ];
      await assignOne(store, assignment(moved, [other]));
      await store.transition({ task: gone.task });
      const outcomes = await store.assign([
        assignment(free, [first]),
        assignment(moved, [second]),
        assignment(alsoFree, [third]),
        assignment(unlucky, [fourth, gone]),
      ]);
      expect(outcomes).toEqual([
        { kind: 'held' },
        { kind: 'ledgerConflict' },
        { kind: 'held' },
        { kind: 'taskConflict', taskIds: [gone.task.taskId] },
      ]);
      for (const { task } of [first, second, third, fourth])
        expect(await store.getTask(task.taskId)).toEqual(task);
      for (const agent of [free, alsoFree, unlucky])
        expect(await readAgent(store, agent.ledger.agentId)).toEqual(agent);
    });

    it('refuses more rows than a transaction takes, an agent without tasks, and nothing at all', async () => {
      const store = subject().store();
      const agents = [await newAgent(store), await newAgent(store)] as const;
      const placements = await newPlacements(store, 99);
      const tooMany = [
        assignment(agents[0], placements.slice(0, 50)),
        assignment(agents[1], placements.slice(50)),
      ];
      for (const inputs of [tooMany, [assignment(agents[0], [])], []])
        await expect(store.assign(inputs)).rejects.toMatchObject({ code: 'INTERNAL' });
    });

    it('does not take another task of the same instance and generation for the planned one', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const [planned] = (await newPlacements(store, 1)) as [Placement];
      await store.transition({ task: planned.task });
      const recreated = makeTask({ name: planned.task.name });
      await store.insertTasks([recreated]);
      const outcome = await assignOne(store, assignment(agent, [planned]));
      expect(outcome).toEqual({ kind: 'taskConflict', taskIds: [planned.task.taskId] });
      expect(await store.getTask(recreated.taskId)).toEqual(recreated);
    });
  });

  describe('release', () => {
    it('gives everything back once: amounts, cards, ports', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const share = makeTask({ name: unique('job'), resources: gpuShare() });
      const whole = makeTask({
        name: share.name,
        instance: 1,
        resources: { ...gpuShare(), gpuMilli: 1_000 },
      });
      const placements: Placement[] = [
        { task: share, grant: { gpus: [[1, 440]], ports: {} } },
        { task: whole, grant: { gpus: [[0, 1_000]], ports: {} } },
        ...(await newPlacements(store, 2)),
      ];
      await store.insertTasks([share, whole]);
      await assignOne(store, assignment(agent, placements));
      const { agentId } = agent.ledger;
      const taken = await readAgent(store, agentId);
      expect(taken.ledger.gpus.map(({ freeMilli }) => freeMilli)).toEqual([0, 560]);
      expect(taken.ledger.usedPorts).toEqual([31_000, 31_001]);
      const releases = placements.map(releaseOf);
      const ids = releases.map(({ taskId }) => taskId);
      expect(await store.release(agentId, releases.slice(0, 3))).toEqual({ released: ids.slice(0, 3) });
      expect((await readAgent(store, agentId)).ledger.usedPorts).toEqual([31_001]);
      // Three of the four were released before: only the fourth counts.
      expect(await store.release(agentId, [...releases, ...releases])).toEqual({ released: ids.slice(3) });
      expect(await store.release(agentId, releases)).toEqual({ released: [] });
      expect((await readAgent(store, agentId)).ledger).toEqual({ ...agent.ledger, version: 4 });
    });

    it('skips an agent it does not know, and frees nothing of a card that is gone', async () => {
      const store = subject().store();
      const task = makeTask({ name: unique('job'), resources: gpuShare() });
      const placement: Placement = { task, grant: { gpus: [[1, 440]], ports: {} } };
      expect(await store.release(unique('nobody'), [releaseOf(placement)])).toEqual({ released: [] });
      const agent = await newAgent(store);
      await store.insertTasks([task]);
      await assignOne(store, assignment(agent, [placement]));
      const { mode: _mode, registeredAt: _at, sessionId: _session, ...offer } = agent.agent;
      await store.registerAgent(
        { ...offer, capacity: { ...offer.capacity, gpus: ['V100'] } },
        'session-1',
        t0,
      );
      expect(await store.release(offer.agentId, [releaseOf(placement)])).toEqual({ released: [task.taskId] });
      const { ledger } = await readAgent(store, offer.agentId);
      expect(ledger).toMatchObject({
        freeCpuMilli: 8_000,
        gpus: [
          { model: 'V100', freeMilli: 1_000 },
          { model: 'V100', freeMilli: 0 },
        ],
        live: [],
      });
      expect(await store.release(offer.agentId, [])).toEqual({ released: [] });
    });

    it('releases more tasks at once than one condition can name', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const small = { ...makeTask().resources, cpuMilli: 1, ramMb: 1, diskMb: 0, ports: [] };
      const tasks = makeTasks(80, { name: unique('job'), resources: small });
      await store.insertTasks(tasks);
      const placements = tasks.map((task): Placement => ({ task, grant: noGrant }));
      await assignOne(store, assignment(agent, placements));
      const { released } = await store.release(agent.ledger.agentId, placements.map(releaseOf));
      expect(released).toHaveLength(80);
      const ledger: Ledger = (await readAgent(store, agent.ledger.agentId)).ledger;
      expect({ ...ledger, version: 1 }).toEqual(agent.ledger);
    });
  });
}

function gpuShare(): Task['resources'] {
  return { cpuMilli: 500, ramMb: 512, diskMb: 0, gpus: 1, gpuMilli: 440, gpuModels: [], ports: [] };
}
