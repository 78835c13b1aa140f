// The update workflow through the Step Functions client.
import {
  DescribeExecutionCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { RequestLimits } from '../../shared/lib/request-limits.ts';
import { jobKeyOnly } from '../../shared/model/job-key.ts';
import { updateExecutionName } from '../../shared/model/names.ts';
import type { UpdateRun } from '../../shared/model/wake.ts';
import type { WorkflowPort } from '../ports.ts';
import { clientSettings } from './client-settings.ts';

export function createSfnClient(limits?: RequestLimits): SFNClient {
  return new SFNClient(clientSettings(limits));
}

const goneTokens = new Set(['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken']);

/** WorkflowPort over one client. */
export function createWorkflowPort(client: Pick<SFNClient, 'send'>, stateMachineArn: string): WorkflowPort {
  return {
    async start({ key, updateId, sequence }) {
      const run: UpdateRun = { v: 1, key: jobKeyOnly(key), updateId, sequence, turns: 0 };
      const command = new StartExecutionCommand({
        stateMachineArn,
        name: updateExecutionName(updateId, sequence),
        input: JSON.stringify(run),
      });
      await client.send(command).catch(unless('ExecutionAlreadyExists'));
    },
    async isRunning({ updateId, sequence }) {
      const base = stateMachineArn.replace(':stateMachine:', ':execution:');
      const executionArn = `${base}:${updateExecutionName(updateId, sequence)}`;
      const command = new DescribeExecutionCommand({ executionArn });
      const execution = await client.send(command).catch(unless('ExecutionDoesNotExist'));
      return execution?.status === 'RUNNING' || execution?.status === 'PENDING_REDRIVE';
    },
    async answer(taskToken, output) {
      const command = new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) });
      const answered = await client.send(command).catch(unless(...goneTokens));
      return answered === undefined ? 'gone' : 'taken';
    },
  };
}

/** An error of one of these names is an answer, any other a failure. */
function unless(...names: string[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Error && names.includes(error.name)) return undefined;
    throw error;
  };
}
