import { describe, expect, it } from 'vitest';
import type { Task } from '../../shared/model/task.ts';
import {
  assignment,
  assignOne,
  newAgent,
  newPlacements,
  type Placement,
  readAgent,
  releaseOf,
} from './assign.contract.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeJob, makeTask, makeTasks, step, successor, t0, unique } from './fixtures.ts';

/** Two or more writers at once: one wins, the others learn it, nothing is half-done. */
export function racesContract(subject: () => StoreUnderTest): void {
  /** Stores of as many processes. */
  const stores = (count: number) => Array.from({ length: count }, () => subject().store());

  describe('races', () => {
    it('two matchers on one ledger: one assignment is written, whole', async () => {
      const [first, second] = stores(2) as [
        ReturnType<StoreUnderTest['store']>,
        ReturnType<StoreUnderTest['store']>,
      ];
      for (let round = 0; round < 10; round++) {
        const agent = await newAgent(first);
        const [a, b] = (await newPlacements(first, 2)) as [Placement, Placement];
        const outcomes = await Promise.all([
          assignOne(first, assignment(agent, [a])),
          assignOne(second, assignment(agent, [b])),
        ]);
        expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['committed', 'ledgerConflict']);
        const { ledger } = await readAgent(first, agent.ledger.agentId);
        expect(ledger.live).toHaveLength(1);
        const states = (await first.getTasks([a.task.taskId, b.task.taskId]))
          .map(({ state }) => state)
          .sort();
        expect(states).toEqual(['ASSIGNED', 'PENDING']);
      }
    });

    it('two matchers on one task and two agents: it runs on one', async () => {
      const store = subject().store();
      const [task] = (await newPlacements(store, 1)) as [Placement];
      const agents = await Promise.all([newAgent(store), newAgent(store)]);
      const outcomes = await Promise.all(
        agents.map((agent) => assignOne(subject().store(), assignment(agent, [task]))),
      );
      expect(outcomes.filter(({ kind }) => kind === 'committed')).toHaveLength(1);
      const ledgers = await Promise.all(agents.map(({ ledger }) => readAgent(store, ledger.agentId)));
      expect(ledgers.flatMap(({ ledger }) => ledger.live)).toHaveLength(1);
    });

    it('an assignment against a kill: the task is assigned or gone, never both', async () => {
      for (let round = 0; round < 10; round++) {
        const store = subject().store();
        const agent = await newAgent(store);
        const [placement] = (await newPlacements(store, 1)) as [Placement];
        const [assigned, killed] = await Promise.all([
          assignOne(store, assignment(agent, [placement])),
          subject().store().transition({ task: placement.task }),
        ]);
        const row = await store.getTask(placement.task.taskId);
        const { ledger } = await readAgent(store, agent.ledger.agentId);
        if (killed.kind === 'committed') {
          expect(assigned.kind).not.toBe('committed');
          expect(row).toBeUndefined();
          expect(ledger).toEqual(agent.ledger);
        } else {
          expect(assigned.kind).toBe('committed');
          expect(row?.state).toBe('ASSIGNED');
          expect(ledger.live).toHaveLength(1);
        }
      }
    });

    it('releases of the same tasks by many: each task is released once', async () => {
      const store = subject().store();
      const agent = await newAgent(store);
      const placements = await newPlacements(store, 6);
      await assignOne(store, assignment(agent, placements));
      const releases = placements.map(releaseOf);
      const parts = [releases, releases.slice(0, 3), releases.slice(2, 5), releases.slice(4), releases];
      const results = await Promise.all(
        parts.map((part) => subject().store().release(agent.ledger.agentId, part)),
      );
      const released = results.flatMap((result) => [...result.released]).sort();
      expect(released).toEqual(releases.map(({ taskId }) => taskId).sort());
      const { ledger } = await readAgent(store, agent.ledger.agentId);
      expect({ ...ledger, version: 1 }).toEqual(agent.ledger);
    });

    it('the same tasks inserted by many: one row each', async () => {
      const name = unique('job');
      const sets = Array.from({ length: 4 }, () => makeTasks(50, { name }));
      const results = await Promise.all(sets.map((tasks) => subject().store().insertTasks(tasks)));
      const rows = await subject()
        .store()
        .listTasks({ ...makeTask(), name }, [0, 49]);
      expect(rows).toHaveLength(50);
      const refused = new Set(results.flatMap(({ existing }) => [...existing]));
      expect(refused.size).toBe(150);
      expect(rows.some(({ taskId }) => refused.has(taskId))).toBe(false);
    });

    it('many ends of one task: one is written, with one successor', async () => {
      const running = makeTask({
        name: unique('job'),
        state: 'RUNNING',
        agentId: 'agent-1',
        grant: { gpus: [], ports: {} },
      });
      await subject().store().insertTasks([running]);
      const ends = (['FINISHED', 'FAILED', 'LOST', 'KILLED'] as const).map((state) => {
        const next = step(running, state);
        return { task: running, next, successor: successor(next) };
      });
      const outcomes = await Promise.all(ends.map((end) => subject().store().transition(end)));
      expect(outcomes.filter(({ kind }) => kind === 'committed')).toHaveLength(1);
      const winner = ends[outcomes.findIndex(({ kind }) => kind === 'committed')];
      const rows = await subject().store().listTasks(running, [0, 0]);
      expect(rows).toEqual([winner?.next, winner?.successor] as Task[]);
    });

    it('creates of one role at once all succeed; of one job or token, one does', async () => {
      const role = unique('role');
      const jobs = Array.from({ length: 12 }, () => makeJob({ role }));
      const configs = new Map();
      const created = await Promise.all(jobs.map((job) => subject().store().createJob({ job, configs })));
      expect(created.every(({ kind }) => kind === 'created')).toBe(true);

      const job = makeJob({ role });
      const rivals = Array.from({ length: 6 }, (_, index) => ({ ...job, createdBy: `user-${index}` }));
      const clash = await Promise.all(
        rivals.map((one) => subject().store().createJob({ job: one, configs })),
      );
      expect(clash.map(({ kind }) => kind).sort()).toEqual([
        'created',
        ...Array.from({ length: 5 }, () => 'exists'),
      ]);

      const token = { value: unique('token'), requestHash: 'h' };
      const same = makeJob({ role });
      const repeats = await Promise.all(
        [0, 1, 2, 3].map((ms) =>
          subject()
            .store()
            .createJob({ job: { ...same, createdAt: t0 + ms }, configs, token }),
        ),
      );
      expect(repeats.map(({ kind }) => kind).sort()).toEqual(['created', 'replayed', 'replayed', 'replayed']);
    });

    it('updates of one job: each version is given once', async () => {
      const job = makeJob();
      await subject().store().createJob({ job, configs: new Map() });
      const outcomes = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          subject()
            .store()
            .updateJob(
              { ...job, specVersion: 2, createdBy: `user-${index}` },
              { specVersion: 1, reconciledVersion: 0 },
            ),
        ),
      );
      expect(outcomes.filter(({ kind }) => kind === 'committed')).toHaveLength(1);
    });
  });
}
