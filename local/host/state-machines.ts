// Runs the state machines of the template with aws-local-stepfunctions. A Task that names a function of the app (by ARN,
// or through arn:aws:states:::lambda:invoke, with or without .waitForTaskToken) calls that function; any other kind of
// task stops the start.
import { randomUUID } from 'node:crypto';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { StateMachinePlan } from '../template/plan.ts';
import type { Invoker } from './invoker.ts';
import { type ExecutionTokens, TaskTokens, type TokenAnswer } from './task-tokens.ts';

type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';

interface Execution {
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly name: string;
  readonly input: string;
  readonly startDate: number;
  status: ExecutionStatus;
  stopDate?: number;
  output?: string;
  error?: string;
  cause?: string;
  /** States entered so far: what Step Functions has to be paid for. */
  transitions: number;
}

/** What the machine of one name has done. */
export interface MachineStats {
  executions: number;
  /** By state. */
  readonly transitions: Record<string, number>;
  /** The most that one execution has had. */
  mostTransitions: number;
}

export interface StateMachines {
  /** Starts an execution; a name that is in use with the same input answers that execution, as in AWS. */
  start(stateMachineArn: string, input: string, name?: string): Execution;
  describe(executionArn: string): Execution | undefined;
  stop(executionArn: string): void;
  /** Answers a state that waits with a token; false if none does (any more). */
  answer(taskToken: string, answer: TokenAnswer): boolean;
  stats(): Readonly<Record<string, MachineStats>>;
  /** Aborts what still runs. */
  close(): Promise<void>;
}

type TaskHandler = (input: unknown) => Promise<unknown>;
type State = Readonly<Record<string, unknown>> & { readonly Type?: string; readonly Resource?: string };

const invokeIntegration = /^arn:[^:]+:states:::lambda:invoke(\.waitForTaskToken)?$/;

/** A task may take as long as it likes unless its state says otherwise; the library's own default is a minute. */
const longestTaskSeconds = 2_000_000;

interface InvokeInput {
  readonly FunctionName: string;
  readonly Payload?: unknown;
}

/** The functions that a machine's Task states call, by state name. INVALID_CONFIG for a task nobody can run here. */
function taskHandlers(
  machine: StateMachinePlan,
  invoker: Pick<Invoker, 'invoke' | 'functionByArn'>,
  tokens: ExecutionTokens,
): Readonly<Record<string, TaskHandler>> {
  const handlers: Record<string, TaskHandler> = {};
  for (const [name, state] of allStates(machine.definition)) {
    if (state.Type !== 'Task') continue;
    const resource = String(state.Resource);
    const integration = invokeIntegration.exec(resource);
    if (integration?.[1] !== undefined) {
      handlers[name] = (input) => {
        const { FunctionName, Payload } = input as InvokeInput;
        return tokens.wait(() => invoker.invoke(FunctionName, Payload ?? {}));
      };
    } else if (integration) {
      handlers[name] = async (input) => {
        tokens.drop();
        const { FunctionName, Payload } = input as InvokeInput;
        return { StatusCode: 200, Payload: await invoker.invoke(FunctionName, Payload ?? {}) };
      };
    } else if (resource.includes(':lambda:')) {
      const arn = invoker.functionByArn(resource).arn;
      handlers[name] = (input) => invoker.invoke(arn, input);
    } else {
      throw new BorealisError(
        'INVALID_CONFIG',
        `state machine ${machine.name}, state ${name}: the embedded stack cannot run the task ${resource}; it was not started`,
      );
    }
  }
  return handlers;
}

/** The definition with the timeout of every task said. */
function withTimeouts(definition: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const copy = structuredClone(definition);
  for (const [, state] of allStates(copy)) {
    if (state.Type !== 'Task' || 'TimeoutSeconds' in state || 'TimeoutSecondsPath' in state) continue;
    Object.assign(state, { TimeoutSeconds: longestTaskSeconds });
  }
  return copy;
}

/**
 * The library looks for the value of TimeoutSecondsPath in what Parameters made of the input, AWS in the input itself; so
 * the value is put among the parameters as well. INVALID_CONFIG for a path that is more than one name.
 */
function withTimeoutParameters(machine: StateMachinePlan): Readonly<Record<string, unknown>> {
  const definition = structuredClone(machine.definition);
  for (const [name, state] of allStates(definition)) {
    if (state.TimeoutSecondsPath === undefined || state.Parameters === undefined) continue;
    const path = JSON.stringify(state.TimeoutSecondsPath);
    const field = /^"\$\.(\w+)"$/.exec(path)?.[1];
    if (field === undefined) {
      throw new BorealisError(
        'INVALID_CONFIG',
        `state machine ${machine.name}, state ${name}: the embedded stack cannot follow ${path}; it was not started`,
      );
    }
    Object.assign(state.Parameters as object, { [`${field}.$`]: `$.${field}` });
  }
  return definition;
}

/** Every state, also those inside Map and Parallel. */
function* allStates(definition: Readonly<Record<string, unknown>>): Generator<[string, State]> {
  for (const [name, value] of Object.entries((definition.States ?? {}) as Record<string, State>)) {
    yield [name, value];
    const inner = [value.ItemProcessor, value.Iterator, ...((value.Branches as unknown[] | undefined) ?? [])];
    for (const part of inner) {
      if (typeof part === 'object' && part !== null)
        yield* allStates(part as Readonly<Record<string, unknown>>);
    }
  }
}

interface Running {
  readonly result: Promise<unknown>;
  readonly eventLogs: AsyncIterable<{ readonly type: string; readonly state?: { readonly name: string } }>;
  abort(): void;
}

/** One machine, ready to run with the tokens of an execution. */
type Machine = (input: unknown, tokens: ExecutionTokens) => Running;

/** Loads the machines of the template; the library is only loaded if there are any. */
export async function loadStateMachines(
  plans: readonly StateMachinePlan[],
  invoker: Pick<Invoker, 'invoke' | 'functionByArn'>,
): Promise<StateMachines> {
  const machines = new Map<string, Machine>();
  if (plans.length > 0) {
    const { StateMachine } = await import('aws-local-stepfunctions');
    for (const plan of plans) {
      // Whatever cannot be run here is found now.
      taskHandlers(plan, invoker, new TaskTokens().forExecution());
      const machine = new StateMachine(withTimeouts(withTimeoutParameters(plan)) as never, {
        validationOptions: { checkArn: false },
      });
      machines.set(plan.arn, (input, tokens) => {
        const handlers = taskHandlers(plan, invoker, tokens);
        // Read when a state's parameters are made, which is right before its handler is called.
        const Task = {
          get Token() {
            return tokens.mint();
          },
        };
        return machine.run(input as never, {
          overrides: { taskResourceLocalHandlers: handlers as never },
          context: { Task } as never,
        }) as Running;
      });
    }
  }
  return executionsOf(machines);
}

/** Ended executions that can still be looked at. */
const endedKept = 2000;

interface Entry {
  readonly execution: Execution;
  readonly running: Running;
  readonly tokens: ExecutionTokens;
  readonly settled: Promise<void>;
}

function executionsOf(machines: ReadonlyMap<string, Machine>): StateMachines {
  const executions = new Map<string, Entry>();
  const tokens = new TaskTokens();
  const stats = new Map<string, MachineStats>();
  const start: StateMachines['start'] = (stateMachineArn, input, name = randomUUID()) => {
    const run = machines.get(stateMachineArn);
    if (!run) throw new BorealisError('NOT_FOUND', `there is no state machine ${stateMachineArn}`);
    const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
    const known = executions.get(executionArn)?.execution;
    if (known?.status === 'RUNNING' && known.input === input) return known;
    if (known)
      throw new BorealisError(
        'CONFLICT',
        `an execution named ${name} exists with another input or has ended`,
      );
    const own = tokens.forExecution();
    const running = run(JSON.parse(input), own);
    const execution: Execution = {
      executionArn,
      stateMachineArn,
      name,
      input,
      startDate: Date.now() / 1000,
      status: 'RUNNING',
      transitions: 0,
    };
    const machineName = stateMachineArn.slice(stateMachineArn.lastIndexOf(':') + 1);
    const counted = stats.get(machineName) ?? { executions: 0, transitions: {}, mostTransitions: 0 };
    stats.set(machineName, counted);
    counted.executions++;
    const settled = Promise.all([follow(execution, running.result), count(execution, running, counted)]);
    executions.set(executionArn, {
      execution,
      running,
      tokens: own,
      settled: settled.then(() => own.drop()),
    });
    forgetOldest(executions);
    return execution;
  };
  const stop = (executionArn: string): void => {
    const entry = executions.get(executionArn);
    if (entry?.execution.status !== 'RUNNING') return;
    end(entry.execution, 'ABORTED');
    entry.tokens.drop();
    entry.running.abort();
  };
  return {
    start,
    stop,
    answer: (taskToken, answer) => tokens.answer(taskToken, answer),
    stats: () => Object.fromEntries(stats),
    describe: (executionArn) => executions.get(executionArn)?.execution,
    async close() {
      for (const executionArn of executions.keys()) stop(executionArn);
      await Promise.all([...executions.values()].map(({ settled }) => settled));
    },
  };
}

function forgetOldest(executions: Map<string, Entry>): void {
  if (executions.size <= endedKept) return;
  for (const [arn, { execution }] of executions) {
    if (execution.status === 'RUNNING') continue;
    executions.delete(arn);
    return;
  }
}

async function count(execution: Execution, { eventLogs }: Running, stats: MachineStats): Promise<void> {
  for await (const { type, state } of eventLogs) {
    if (type !== 'StateEntered' || state === undefined) continue;
    execution.transitions++;
    stats.transitions[state.name] = (stats.transitions[state.name] ?? 0) + 1;
    stats.mostTransitions = Math.max(stats.mostTransitions, execution.transitions);
  }
}

async function follow(execution: Execution, result: Promise<unknown>): Promise<void> {
  try {
    const output: unknown = await result;
    if (execution.status !== 'RUNNING') return;
    execution.output = JSON.stringify(output ?? null);
    end(execution, 'SUCCEEDED');
  } catch (failure) {
    if (execution.status !== 'RUNNING') return;
    // The library wraps what a state threw.
    const error: unknown =
      failure instanceof Error && failure.name === 'ExecutionError' ? (failure.cause ?? failure) : failure;
    execution.error = error instanceof Error ? error.name : 'Error';
    execution.cause = error instanceof Error ? error.message : String(error);
    end(execution, 'FAILED');
  }
}

function end(execution: Execution, status: ExecutionStatus): void {
  execution.status = status;
  execution.stopDate = Date.now() / 1000;
}
