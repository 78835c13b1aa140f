// Step Functions: executions of the update workflow on simulated time. A name runs once, ever; a step that failed is tried
// again; a task token is good until its step is over. What a description says may be some seconds old.
import type { LambdaFunction, Outcome } from './lambda.ts';
import type { Random } from './random.ts';
import {
  covers,
  fillIn,
  type Machine,
  retryDelayMs,
  type TaskStep,
  valueAt,
  withResult,
} from './state-language.ts';
import { outagePollMs, type TriggerDeps } from './triggers.ts';

type Status = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';

interface Execution {
  readonly name: string;
  readonly input: unknown;
  readonly startedAt: number;
  status: Status;
  endedAt?: number;
  /** Counts what it entered and tried; whatever belongs to an earlier number is over. */
  visit: number;
  /** Of the present state, by retrier. */
  retries: number[];
  transitions: number;
}

export interface WorkflowDeps extends TriggerDeps {
  readonly updater: LambdaFunction;
  readonly machine: Machine;
}

/** Of 25,000 that an execution may have; each state entered and each try is a few. */
const longestHistory = 25_000;

export class Workflows {
  readonly #deps: WorkflowDeps;
  readonly #executions = new Map<string, Execution>();
  readonly #waiting = new Map<
    string,
    { readonly execution: Execution; readonly visit: number; done: (output: unknown) => void }
  >();
  #tokens = 0;
  #strays = 0;

  constructor(deps: WorkflowDeps) {
    this.#deps = deps;
  }

  get transitions(): number {
    let sum = 0;
    for (const execution of this.#executions.values()) sum += execution.transitions;
    return sum;
  }

  /** Has anybody started one by hand? */
  get hasStrays(): boolean {
    return this.#strays > 0;
  }

  /** Names of those that run. */
  running(): string[] {
    return [...this.#executions.values()]
      .filter(({ status }) => status === 'RUNNING')
      .map(({ name }) => name);
  }

  /** As in AWS: the same name with the same input is the same start while it runs, and an error ever after. */
  start(name: string, input: string): void {
    const known = this.#executions.get(name);
    if (known?.status === 'RUNNING' && JSON.stringify(known.input) === input) return;
    if (known) throw named('ExecutionAlreadyExists');
    const execution: Execution = {
      name,
      input: JSON.parse(input),
      startedAt: this.#deps.scheduler.now,
      status: 'RUNNING',
      visit: 0,
      retries: [],
      transitions: 0,
    };
    this.#executions.set(name, execution);
    this.#deps.trace.note('execution starts', () => name);
    this.#later(execution, 5, () => this.#enter(execution, this.#deps.machine.StartAt, execution.input));
  }

  /** What a description says; it is only eventually consistent. */
  describe(name: string): Status {
    const { scheduler, faults } = this.#deps;
    const fault = faults.decide('index', 'description of an execution');
    const asOf = scheduler.now - (fault ? Math.floor(faults.detail(fault) ** 3 * 30_000) : 0);
    const execution = this.#executions.get(name);
    if (!execution || execution.startedAt > asOf) throw named('ExecutionDoesNotExist');
    return (execution.endedAt ?? Number.POSITIVE_INFINITY) > asOf ? 'RUNNING' : execution.status;
  }

  answer(token: string, output: string): void {
    const waiting = this.#waiting.get(token);
    if (!waiting) throw named('TaskDoesNotExist');
    const { execution, visit, done } = waiting;
    if (execution.status !== 'RUNNING' || execution.visit !== visit) throw named('TaskTimedOut');
    this.#waiting.delete(token);
    done(JSON.parse(output));
  }

  /** Somebody stops one by hand. */
  stop(random: Random): void {
    const name = this.running().at(random.below(100) % Math.max(1, this.running().length));
    const execution = this.#executions.get(name ?? '');
    if (execution) this.#end(execution, 'ABORTED');
  }

  /** Somebody starts one again by hand, with the same input and another name. */
  startAgain(random: Random): void {
    const all = [...this.#executions.values()];
    const again = all.at(random.below(1000) % Math.max(1, all.length));
    if (again) this.start(`by-hand-${++this.#strays}`, JSON.stringify(again.input));
  }

  #end(execution: Execution, status: Status): void {
    execution.status = status;
    execution.endedAt = this.#deps.scheduler.now;
    execution.visit++;
    this.#deps.trace.note('execution ends', () => `${execution.name} ${status}`);
  }

  /** Later, if it is still where it is now; nothing moves while the service is down. */
  #later(execution: Execution, delayMs: number, work: () => void): void {
    const { scheduler, outage } = this.#deps;
    const { visit } = execution;
    const due = () => {
      if (execution.status !== 'RUNNING' || execution.visit !== visit) return;
      if (outage.workflows) scheduler.after(outagePollMs, due);
      else work();
    };
    scheduler.after(delayMs, due);
  }

  #enter(execution: Execution, name: string, data: unknown): void {
    execution.retries = [];
    if (execution.transitions++ * 5 > longestHistory) {
      this.#end(execution, 'FAILED');
      return;
    }
    this.#deps.trace.note('execution goes to', () => `${execution.name} ${name}`);
    this.#visit(execution, name, data);
  }

  #visit(execution: Execution, name: string, data: unknown): void {
    execution.visit++;
    const state = this.#deps.machine.States[name];
    if (!state) throw new Error(`there is no state ${name}`);
    switch (state.Type) {
      case 'Task':
        this.#task(execution, { name, state, data });
        break;
      case 'Choice': {
        const match = state.Choices.find(
          ({ Variable, StringEquals }) => valueAt(data, Variable) === StringEquals,
        );
        this.#later(execution, 20, () => this.#enter(execution, match?.Next ?? state.Default, data));
        break;
      }
      case 'Wait': {
        const until = Date.parse(String(valueAt(data, state.TimestampPath)));
        const delayMs = Math.max(0, until - this.#deps.scheduler.now);
        this.#later(execution, delayMs, () => this.#enter(execution, state.Next, data));
        break;
      }
      case 'Succeed':
        this.#end(execution, 'SUCCEEDED');
        break;
      case 'Fail':
        this.#end(execution, 'FAILED');
    }
  }

  #task(
    execution: Execution,
    step: { readonly name: string; readonly state: TaskStep; readonly data: unknown },
  ): void {
    const { name, state, data } = step;
    const token = `token-${++this.#tokens}`;
    const waits = state.Resource.endsWith('.waitForTaskToken');
    const timeoutS = state.TimeoutSecondsPath
      ? valueAt(data, state.TimeoutSecondsPath)
      : state.TimeoutSeconds;
    const done = (result: unknown) => {
      const whole = withResult(data, state.ResultPath, result);
      const output = state.OutputPath === undefined ? whole : valueAt(whole, state.OutputPath);
      this.#later(execution, 20, () => this.#enter(execution, state.Next, output));
    };
    const { visit } = execution;
    if (waits) this.#waiting.set(token, { execution, visit, done });
    if (typeof timeoutS === 'number') {
      this.#later(execution, timeoutS * 1000, () => this.#failed(execution, step, 'States.Timeout'));
    }
    const payload = fillIn(state.Parameters.Payload, data, token);
    this.#call(execution, name, payload, (outcome) => {
      if (execution.status !== 'RUNNING' || execution.visit !== visit) return;
      if (outcome.kind !== 'returned') this.#failed(execution, step, 'Lambda.Unknown');
      else if (!waits) done({ Payload: JSON.parse(JSON.stringify(outcome.value)), StatusCode: 200 });
    });
  }

  /** Invokes the updater, late or twice if the seed says so; the first outcome counts. */
  #call(execution: Execution, name: string, payload: unknown, onOutcome: (outcome: Outcome) => void): void {
    const { faults, lambda, updater, outage, scheduler, random } = this.#deps;
    const fault = faults.decide('delivery', `step ${name}`);
    const invoke = (outcome: (outcome: Outcome) => void) => {
      if (outage.functions) return outcome({ kind: 'failed', error: named('Lambda.ServiceException') });
      const invocation = lambda.invoke(updater, structuredClone(payload), outcome);
      if (fault?.kind === 'crash') {
        scheduler.after(Math.floor(faults.detail(fault) * 100), () => lambda.crash(invocation));
      }
    };
    const delayMs =
      fault?.kind === 'late' ? Math.floor(faults.detail(fault) * 60_000) : random.between(5, 40);
    this.#later(execution, delayMs, () => invoke(onOutcome));
    // The service got no answer to its first call and made another.
    if (fault?.kind === 'duplicate')
      scheduler.after(delayMs + random.between(1, 30_000), () => invoke(() => {}));
  }

  #failed(
    execution: Execution,
    step: { readonly name: string; readonly state: TaskStep; readonly data: unknown },
    error: string,
  ): void {
    const { name, state, data } = step;
    // The step is over: neither an answer nor its token counts any more.
    execution.visit++;
    const retrier = state.Retry.findIndex(({ ErrorEquals }) => covers(ErrorEquals, error));
    const retry = state.Retry[retrier];
    const tried = execution.retries[retrier] ?? 0;
    if (retry && tried < retry.MaxAttempts) {
      execution.retries[retrier] = tried + 1;
      this.#later(execution, retryDelayMs(retry, tried), () => this.#visit(execution, name, data));
      return;
    }
    const caught = state.Catch.find(({ ErrorEquals }) => covers(ErrorEquals, error));
    if (!caught) {
      this.#end(execution, 'FAILED');
      return;
    }
    const output = withResult(data, caught.ResultPath, { Error: error, Cause: 'simulated' });
    this.#later(execution, 20, () => this.#enter(execution, caught.Next, output));
  }
}

function named(name: string): Error {
  return Object.assign(new Error(`simulated: ${name}`), { name });
}
