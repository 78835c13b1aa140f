// The lifecycle actions of Auto Scaling groups as a port.
import {
  AutoScalingClient,
  AutoScalingServiceException,
  CompleteLifecycleActionCommand,
  RecordLifecycleActionHeartbeatCommand,
} from '@aws-sdk/client-auto-scaling';
import type { RequestLimits } from '../../shared/lib/request-limits.ts';
import { clientSettings } from '../clients/client-settings.ts';
import type { TerminationPort } from './follow-notice.ts';
import type { Termination } from './notices.ts';

export function createAutoScalingClient(limits?: RequestLimits): AutoScalingClient {
  return new AutoScalingClient(clientSettings(limits));
}

export function createTerminationPort(client: AutoScalingClient): TerminationPort {
  return {
    holdOn: (termination) =>
      stillWaits(() => client.send(new RecordLifecycleActionHeartbeatCommand(actionOf(termination)))),
    goOn: (termination) =>
      stillWaits(() =>
        client.send(
          new CompleteLifecycleActionCommand({
            ...actionOf(termination),
            LifecycleActionResult: 'CONTINUE',
          }),
        ),
      ),
  };
}

function actionOf({ group, hook, token, instanceId }: Termination) {
  return {
    AutoScalingGroupName: group,
    LifecycleHookName: hook,
    LifecycleActionToken: token,
    InstanceId: instanceId,
  };
}

/** A group that does not know the action (any more) says ValidationError. */
async function stillWaits(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (error instanceof AutoScalingServiceException && error.name === 'ValidationError') return false;
    throw error;
  }
}
