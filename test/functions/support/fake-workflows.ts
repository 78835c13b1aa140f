// Step Functions for tests: executions of the update workflow that move when told to, through the states of
// infra/workflows/update-workflow.ts, with the time of the test.
import type { WorkflowPort } from '../../../functions/ports.ts';
import type { UpdaterDeps } from '../../../functions/updater/deps.ts';
import { awaitBatch, type Verdict, verdict } from '../../../functions/updater/steps.ts';
import type { UpdateRun } from '../../../shared/model/wake.ts';

type Position =
  | { readonly at: 'verdict'; readonly run: UpdateRun }
  | { readonly at: 'batch'; readonly verdict: Verdict; readonly token?: string; readonly since: number }
  | { readonly at: 'watch'; readonly run: UpdateRun; readonly until: number }
  | { readonly at: 'end'; readonly decision: string };

interface FakeExecution {
  readonly name: string;
  position: Position;
  /** Names of the states it was in. */
  readonly states: string[];
}

export class FakeWorkflows implements WorkflowPort {
  readonly executions = new Map<string, FakeExecution>();
  readonly #tokens = new Map<string, FakeExecution>();
  readonly #clock: () => number;
  #minted = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async start({ key, updateId, sequence }: Parameters<WorkflowPort['start']>[0]): Promise<void> {
    const name = `${updateId}-${sequence}`;
    if (this.executions.has(name)) return;
    const run: UpdateRun = { v: 1, key, updateId, sequence, turns: 0 };
    this.executions.set(name, { name, position: { at: 'verdict', run }, states: [] });
  }

  async isRunning({ updateId, sequence }: { updateId: string; sequence: number }): Promise<boolean> {
    const execution = this.executions.get(`${updateId}-${sequence}`);
    return execution !== undefined && execution.position.at !== 'end';
  }

  async answer(taskToken: string, output: object): Promise<'taken' | 'gone'> {
    const execution = this.#tokens.get(taskToken);
    this.#tokens.delete(taskToken);
    if (execution?.position.at !== 'batch' || execution.position.token !== taskToken) return 'gone';
    const { until } = output as { until: string };
    const { verdict: run } = execution.position;
    execution.position = { at: 'watch', run, until: Date.parse(until) };
    execution.states.push('Watch');
    return 'taken';
  }

  /** As by hand in the console. */
  stop(updateId: string, sequence: number): void {
    const execution = this.executions.get(`${updateId}-${sequence}`);
    if (execution) execution.position = { at: 'end', decision: 'stopped by hand' };
  }

  /** Does some execution wait with a task token? */
  awaits(): boolean {
    return this.#tokens.size > 0;
  }

  /** When the next execution goes on by itself, epoch ms; infinity = none does. */
  nextAt(): number {
    const times = Array.from(this.executions.values(), ({ position }) => {
      if (position.at === 'watch') return position.until;
      return position.at === 'batch'
        ? position.since + position.verdict.patienceSeconds * 1000
        : Number.POSITIVE_INFINITY;
    });
    return Math.min(...times);
  }

  /** Moves each execution that can go on by one state; answers how many did. */
  async move(deps: UpdaterDeps): Promise<number> {
    let moved = 0;
    for (const execution of Array.from(this.executions.values()))
      if (await this.#moveOne(execution, deps)) moved++;
    return moved;
  }

  async #moveOne(execution: FakeExecution, deps: UpdaterDeps): Promise<boolean> {
    const { position } = execution;
    const now = this.#clock();
    if (position.at === 'verdict') {
      execution.states.push('Verdict', 'Which way?');
      const result = await verdict(position.run, deps);
      const waits = result.decision === 'forward' || result.decision === 'back';
      execution.position = waits
        ? { at: 'batch', verdict: result, since: now }
        : { at: 'end', decision: result.decision };
      return true;
    }
    if (position.at === 'batch' && position.token === undefined) {
      execution.states.push(position.verdict.decision === 'forward' ? 'Forward batch' : 'Roll back batch');
      const token = `token-${++this.#minted}`;
      this.#tokens.set(token, execution);
      execution.position = { ...position, token };
      await awaitBatch(position.verdict, token, deps);
      return true;
    }
    const over =
      (position.at === 'batch' && now >= position.since + position.verdict.patienceSeconds * 1000) ||
      (position.at === 'watch' && now >= position.until);
    if (!over) return false;
    execution.position = { at: 'verdict', run: position.at === 'batch' ? position.verdict : position.run };
    return true;
  }
}
