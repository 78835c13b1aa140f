// Runs the state machines of the template with aws-local-stepfunctions. A Task that names a function of the app (by ARN,
// or through arn:aws:states:::lambda:invoke) calls that function; any other kind of task stops the start.
import { randomUUID } from 'node:crypto';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { StateMachinePlan } from '../template/plan.ts';
import type { Invoker } from './invoker.ts';

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
}

export interface StateMachines {
  /** Starts an execution; a name that is in use with the same input answers that execution, as in AWS. */
  start(stateMachineArn: string, input: string, name?: string): Execution;
  describe(executionArn: string): Execution | undefined;
  stop(executionArn: string): void;
  /** Aborts what still runs. */
  close(): Promise<void>;
}

type TaskHandler = (input: unknown) => Promise<unknown>;
type State = Readonly<Record<string, unknown>> & { readonly Type?: string; readonly Resource?: string };

const invokeIntegration = /^arn:[^:]+:states:::lambda:invoke$/;

/** The functions that a machine's Task states call, by state name. INVALID_CONFIG for a task nobody can run here. */
function taskHandlers(
  machine: StateMachinePlan,
  invoker: Pick<Invoker, 'invoke' | 'functionByArn'>,
): Readonly<Record<string, TaskHandler>> {
  const handlers: Record<string, TaskHandler> = {};
  for (const [name, state] of allStates(machine.definition)) {
    if (state.Type !== 'Task') continue;
    const resource = String(state.Resource);
    if (invokeIntegration.test(resource)) {
      handlers[name] = async (input) => {
        const { FunctionName, Payload } = input as { FunctionName: string; Payload?: unknown };
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
  abort(): void;
}

/** Loads the machines of the template; the library is only loaded if there are any. */
export async function loadStateMachines(
  plans: readonly StateMachinePlan[],
  invoker: Pick<Invoker, 'invoke' | 'functionByArn'>,
): Promise<StateMachines> {
  const machines = new Map<string, (input: unknown) => Running>();
  if (plans.length > 0) {
    const { StateMachine } = await import('aws-local-stepfunctions');
    for (const plan of plans) {
      const taskResourceLocalHandlers = taskHandlers(plan, invoker);
      const machine = new StateMachine(plan.definition as never, { validationOptions: { checkArn: false } });
      machines.set(
        plan.arn,
        (input) =>
          machine.run(input as never, {
            overrides: { taskResourceLocalHandlers: taskResourceLocalHandlers as never },
          }) as Running,
      );
    }
  }
  return executionsOf(machines);
}

function executionsOf(machines: ReadonlyMap<string, (input: unknown) => Running>): StateMachines {
  const executions = new Map<string, { execution: Execution; running: Running; settled: Promise<void> }>();
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
    const running = run(JSON.parse(input));
    const execution: Execution = {
      executionArn,
      stateMachineArn,
      name,
      input,
      startDate: Date.now() / 1000,
      status: 'RUNNING',
    };
    executions.set(executionArn, { execution, running, settled: follow(execution, running.result) });
    return execution;
  };
  const stop = (executionArn: string): void => {
    const entry = executions.get(executionArn);
    if (entry?.execution.status !== 'RUNNING') return;
    end(entry.execution, 'ABORTED');
    entry.running.abort();
  };
  return {
    start,
    stop,
    describe: (executionArn) => executions.get(executionArn)?.execution,
    async close() {
      for (const executionArn of executions.keys()) stop(executionArn);
      await Promise.all([...executions.values()].map(({ settled }) => settled));
    },
  };
}

async function follow(execution: Execution, result: Promise<unknown>): Promise<void> {
  try {
    const output: unknown = await result;
    if (execution.status !== 'RUNNING') return;
    execution.output = JSON.stringify(output ?? null);
    end(execution, 'SUCCEEDED');
  } catch (error) {
    if (execution.status !== 'RUNNING') return;
    execution.error = error instanceof Error ? error.name : 'Error';
    execution.cause = error instanceof Error ? error.message : String(error);
    end(execution, 'FAILED');
  }
}

function end(execution: Execution, status: ExecutionStatus): void {
  execution.status = status;
  execution.stopDate = Date.now() / 1000;
}
